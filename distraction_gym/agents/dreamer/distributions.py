"""What latents and actions are drawn from (DreamerV3, arXiv 2301.04104)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

UNIMIX = 0.01
"""Share of the uniform distribution in every categorical: no class is ever impossible."""


def unimix(logits: Tensor) -> Tensor:
    """Return log-probabilities of `0.99 softmax + 0.01 / classes`, the shape of `logits`."""
    probs = (1 - UNIMIX) * logits.softmax(dim=-1) + UNIMIX / logits.shape[-1]
    return probs.log()


def sample_one_hot(log_probs: Tensor) -> Tensor:
    """Draw one-hot vectors, through which gradients pass to the probabilities (straight-through).

    Args:
        log_probs: Normalised, `(..., classes)`.
    """
    probs = log_probs.exp()
    with torch.no_grad():
        # The first of exponential clocks of rates p rings for class i with probability p_i.
        classes = (probs / exponential(probs)).argmax(dim=-1)
    return _straight_through(classes, probs)


def exponential(like: Tensor) -> Tensor:
    """Draw from the exponential distribution of rate 1, in the shape and type of a tensor.

    On a CPU `exponential_` takes the logarithm of one number after the other. These are the same
    numbers, two and a half times as fast.
    """
    if not like.is_cpu:
        return torch.empty_like(like).exponential_()
    uniform = torch.rand(like.shape, dtype=torch.float64)
    return uniform.neg_().log1p_().neg_().to(like.dtype)


def mode_one_hot(log_probs: Tensor) -> Tensor:
    """Return the likeliest class as a one-hot vector, with gradients as `sample_one_hot`."""
    return _straight_through(log_probs.argmax(dim=-1), log_probs.exp())


def _straight_through(classes: Tensor, probs: Tensor) -> Tensor:
    one_hot = F.one_hot(classes, probs.shape[-1]).to(probs.dtype)
    return one_hot + (probs - probs.detach())


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL[p || q] in nats, `(...)`, summed over categoricals `(..., latents, classes)`."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=(-2, -1))


def entropy(log_probs: Tensor) -> Tensor:
    """Return the entropy in nats, summed over categoricals: `(...)`."""
    return -(log_probs.exp() * log_probs).sum(dim=(-2, -1))


def balanced_kl(
    posterior: Tensor, prior: Tensor, free: float = 1.0, dyn: float = 0.5, rep: float = 0.1
) -> dict[str, Tensor]:
    """Return the two halves of the KL loss, weighted, means over batch and time.

    `dyn max(free, KL[sg(posterior) || prior])` moves the prior towards the posterior, and
    `rep max(free, KL[posterior || sg(prior)])` the other way round.

    Args:
        posterior: Log-probabilities `(B, T, latents, classes)`.
        prior: The same.
        free: Nats that cost nothing, for each element of batch and time.
        dyn: Weight of the first.
        rep: Weight of the second.
    """
    dynamics = kl_divergence(posterior.detach(), prior).clamp(min=free).mean()
    representation = kl_divergence(posterior, prior.detach()).clamp(min=free).mean()
    return {"dyn_loss": dyn * dynamics, "rep_loss": rep * representation}


class BoundedNormal(NamedTuple):
    """A normal distribution with its mean in (-1, 1), of actions that are kept in [-1, 1]."""

    mean: Tensor
    """`(..., A)`, a tanh."""
    std: Tensor
    """`(..., A)` in [0.1, 1]."""

    @classmethod
    def of(cls, raw_mean: Tensor, raw_std: Tensor) -> BoundedNormal:
        """Make a distribution of a network's outputs: `tanh(m)` and `0.9 sigmoid(s + 2) + 0.1`."""
        return cls(raw_mean.tanh(), 0.9 * torch.sigmoid(raw_std + 2.0) + 0.1)

    def sample(self) -> Tensor:
        """Draw actions `(..., A)`; gradients pass to mean and std."""
        action = self.mean + self.std * torch.randn_like(self.mean)
        # Divided by a constant, not clamped: gradients pass beyond the border too.
        return action / action.detach().abs().clamp(min=1.0)

    def entropy(self) -> Tensor:
        """Return the entropy in nats of the normal before it is bounded, `(...)`."""
        return (0.5 * math.log(2 * math.pi * math.e) + self.std.log()).sum(dim=-1)
