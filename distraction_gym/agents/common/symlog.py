"""Numbers of any size as small ones, and as weights of two bins (DreamerV3, arXiv 2301.04104)."""

from __future__ import annotations

import torch
from torch import Tensor

LIMIT = 20.0
"""Bins lie evenly between -20 and 20, on the scale of `symlog`: up to 5e8 in the rewards' own."""


def symlog(x: Tensor) -> Tensor:
    """Return `sign(x) ln(1 + |x|)`."""
    return torch.sign(x) * torch.log1p(x.abs())


def symexp(x: Tensor) -> Tensor:
    """Undo `symlog`."""
    return torch.sign(x) * torch.expm1(x.abs())


def bins(count: int, like: Tensor, limit: float = LIMIT) -> Tensor:
    """Return the values that bins stand for, `(count,)`, evenly spaced."""
    return torch.linspace(-limit, limit, count, dtype=like.dtype, device=like.device)


def two_hot(x: Tensor, count: int, limit: float = LIMIT) -> tuple[Tensor, Tensor]:
    """Split numbers between the bins on either side.

    Args:
        x: Any shape, on the scale of the bins; beyond them the outermost counts in full.
        count: How many bins there are.
        limit: What the outermost stand for.

    Returns:
        The lower bin's index, int64, and the weight in [0, 1] of the bin above it; the lower one
        has the rest. Both have the shape of `x`.
    """
    place = (x.clamp(-limit, limit) + limit) * ((count - 1) / (2 * limit))
    lower = place.floor().clamp(max=count - 2)
    # A NaN has no place; its weight says so, and its index must exist all the same.
    return lower.long().clamp(0, count - 2), place - lower


def two_hot_log_prob(logits: Tensor, x: Tensor, limit: float = LIMIT) -> Tensor:
    """Return the log-probability `(...)` that logits `(..., bins)` give to raw numbers `(...)`.

    It is minus the cross-entropy with the two-hot code of `symlog(x)`.
    """
    lower, weight = two_hot(symlog(x), logits.shape[-1], limit)
    both = torch.stack([lower, lower + 1], dim=-1)
    log_probs = logits.log_softmax(dim=-1).gather(-1, both)
    return (1 - weight) * log_probs[..., 0] + weight * log_probs[..., 1]


def two_hot_mean(logits: Tensor, limit: float = LIMIT) -> Tensor:
    """Return the raw numbers `(...)` that logits `(..., bins)` predict: `symexp` of their mean."""
    return symexp(logits.softmax(dim=-1) @ bins(logits.shape[-1], logits, limit))
