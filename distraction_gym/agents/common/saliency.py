"""Which pixels a score depends on: input gradients, guided backpropagation, quantile masks.

Nothing here leaves a gradient at a parameter, draws a random number or stays hooked to a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Score = Callable[[Tensor], Tensor]
"""Pictures `(B, 3k, H, W)` -> one number per sample that depends on that sample alone."""


def input_gradients(score: Score, obs: Tensor) -> Tensor:
    """Return the gradient of each sample's score at its picture, a constant like `obs`.

    Works under `torch.no_grad()` too.

    Args:
        score: What to differentiate.
        obs: Float pictures `(B, 3k, H, W)`.
    """
    with torch.enable_grad():
        leaf = obs.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(leaf).sum(), leaf)
    return gradient


def guided_gradients(score: Score, obs: Tensor, network: nn.Module) -> Tensor:
    """Return `input_gradients` by guided backpropagation (arXiv 1412.6806).

    At every ReLU what would lower the score is dropped: negative gradients become zero.

    Args:
        score: What to differentiate; it runs `network`.
        obs: Float pictures `(B, 3k, H, W)`.
        network: Its `nn.ReLU` modules guide, wherever in it they are. Other activations pass
            gradients as ever.

    Raises:
        ValueError: if the score met none.
    """
    # Compiled code does not run hooks, and would leave its ReLUs unguided without a word.
    with torch.compiler.set_stance("force_eager"), _guided(network) as met:
        gradient = input_gradients(score, obs)
    if not met:
        raise ValueError(
            f"guided backpropagation met no nn.ReLU module in this {type(network).__name__}: it "
            "needs ReLUs, as modules and not as calls of torch.relu. With "
            'policy_kwargs, type:  "activation_fn": torch.nn.ReLU'
        )
    return gradient


@contextmanager
def _guided(network: nn.Module) -> Iterator[list[nn.Module]]:
    """Guide what runs in here, and list the ReLUs that it runs through."""
    met: list[nn.Module] = []

    def guide(module: nn.Module, _: object, output: Tensor) -> None:
        met.append(module)
        # max(g, 0) where the input was positive: the same before the ReLU's own step as after it.
        output.register_hook(_positive)  # type: ignore[no-untyped-call]

    rectifiers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    hooks = [module.register_forward_hook(guide) for module in rectifiers]
    try:
        yield met
    finally:
        for hook in hooks:
            hook.remove()


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)


def per_pixel(gradients: Tensor) -> Tensor:
    """Return the largest size over a frame's colours: `(B, 3k, H, W)` -> `(B, k, H, W)`."""
    frames = gradients.reshape(len(gradients), -1, 3, *gradients.shape[2:])
    return frames.abs().amax(2)


def quantile_mask(saliency: Tensor, quantile: float) -> Tensor:
    """Return which pixels reach the quantile of their sample's frame, bool `(B, k, H, W)`.

    About `1 - quantile` of them do; more where many are equal, and all where most are zero, as
    in SGQN's official code.

    Args:
        saliency: `(B, k, H, W)`.
        quantile: In [0, 1], linear between two pixels as `torch.quantile` has it.

    Raises:
        ValueError: for another quantile.
    """
    if not 0.0 <= quantile <= 1.0:
        raise ValueError(f"quantile must lie in [0, 1], got {quantile}")
    # No pixel lies between the quantile and the next larger one, so that one is the limit.
    return saliency >= _ranked(saliency, quantile)


def normalized(saliency: Tensor) -> Tensor:
    """Scale each picture `(..., H, W)` to [0, 1]; one of zeros stays.

    The strongest 2 % of its pixels all count as 1, lest a few of them leave the others black.
    """
    limit = _ranked(saliency, 0.98)
    largest = saliency.amax((-2, -1), keepdim=True)
    scale = torch.where(limit > 0, limit, largest).clamp_min(torch.finfo(saliency.dtype).tiny)
    return (saliency / scale).clamp_max(1.0)


def _ranked(saliency: Tensor, quantile: float) -> Tensor:
    """Return the least value of each picture that is no less than a quantile, `(..., 1, 1)`.

    It is picked, not sorted for, and torch.quantile refuses more than 16 million numbers.
    """
    pixels = saliency.flatten(-2)
    rank = math.ceil(round(quantile * (pixels.shape[-1] - 1), 6))
    return pixels.kthvalue(rank + 1, dim=-1).values[..., None, None]
