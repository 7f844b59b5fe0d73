"""The mask sampler: which of a frame's masks show what the task needs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from distraction_gym.registry import unknown

PAPER_FILTERS = (32, 64, 128)
SHARES = ("all", "found")
_ROUNDING = 1e-5  # weights of equal masks are 1/n but for their last bits


class Choice(NamedTuple):
    """Which masks of `N` frames were taken, and what they cover together."""

    planes: Tensor
    """`(N, k, H, W)`, 0 or 1: what there was to choose from."""
    weights: Tensor
    """`(N, k)`: what the sampler gave each mask; a frame's sum to 1 (0 if it has no mask)."""
    taken: Tensor
    """`(N, k)`: 1 for the masks that were taken, with the gradient of `weights`."""
    mask: Tensor
    """`(N, 1, H, W)`: their union, 0 or 1. All ones where a frame has no mask."""
    found: Tensor
    """`(N,)` bool: whether the frame has any mask."""


class MaskSampler(nn.Module):
    """Binary masks `(N, k, H, W)` -> weights `(N, k)` by Gumbel-softmax.

    3x3 convolutions with batch norm and ReLU at full size, the mean over all pixels, and two linear
    layers. Source: TRMS (TMLR 2025), section 4.2 and appendix C.

    Args:
        k: Masks per frame.
        filters: Filters of its convolutions.
        temperature: Of the softmax.
        share_of: Masks are taken from a weight of 1/n on: n is `"all"` k planes, as the paper
            writes it, or those `"found"`, the empty ones left out. With the latter one of two
            masks is always dropped, for their weights are never equal.

    Raises:
        UnknownName: for a `share_of` that does not exist.
        ValueError: for a temperature of 0 or less.
    """

    def __init__(
        self,
        k: int = 4,
        filters: Sequence[int] = PAPER_FILTERS,
        temperature: float = 5.0,
        share_of: str = "all",
    ) -> None:
        super().__init__()
        if share_of not in SHARES:
            raise unknown("count of masks", share_of, SHARES)
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.temperature, self.share_of = temperature, share_of
        layers: list[nn.Module] = []
        for inward, outward in pairwise([k, *filters]):
            layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.BatchNorm2d(outward), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(filters[-1], 64), nn.ReLU(), nn.Linear(64, k))

    def forward(self, planes: Tensor) -> Choice:
        """Choose among masks `(N, k, H, W)`, float 0 or 1; empty planes are never taken.

        In training mode with Gumbel noise, in evaluation mode without.
        """
        real = planes.flatten(2).any(dim=2)
        logits = self.head(self.convolutions(planes).mean(dim=(2, 3)))
        if self.training:
            logits = logits + _gumbel(logits)
        scaled = (logits / self.temperature).masked_fill(~real, -torch.inf)
        found = real.any(dim=1)
        # A frame without masks has no softmax; its row is set aside before it, not after.
        weights = scaled.masked_fill(~found[:, None], 0.0).softmax(dim=1) * found[:, None]
        taken = take(weights, real, self.share_of)
        mask = torch.where(found[:, None, None, None], union(taken, planes), 1.0)
        return Choice(planes, weights, taken, mask, found)


def take(weights: Tensor, real: Tensor, share_of: str = "all") -> Tensor:
    """Return 1 for each real mask whose weight is at least 1/n, 0 for the others, `(N, k)`.

    At least one is always taken. Backward the threshold is an identity (straight-through).

    Args:
        weights: `(N, k)`, 0 where there is no mask.
        real: `(N, k)` bool: where there is one.
        share_of: What `n` is: `"all"` planes or those `"found"`.
    """
    count = real.sum(dim=1, keepdim=True) if share_of == "found" else real.shape[1]
    hard = ((weights * count >= 1.0 - _ROUNDING) & real).to(weights.dtype)
    return hard + (weights - weights.detach())  # in this order it is exactly 0 or 1


def union(taken: Tensor, planes: Tensor) -> Tensor:
    """Return `1 - prod_i (1 - taken_i * mask_i)`, `(N, 1, H, W)`: a differentiable OR."""
    left = 1.0 - taken[:, :, None, None] * planes
    return 1.0 - left.prod(dim=1, keepdim=True)


def _gumbel(like: Tensor) -> Tensor:
    return -torch.empty_like(like).exponential_().log()
