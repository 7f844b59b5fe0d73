"""Prototypes that pictures and states are assigned to (DreamerPro, arXiv 2110.14565; SwAV)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Prototypes(nn.Module):
    """Unit vectors; what lies near one belongs to it.

    Args:
        count: How many there are.
        size: Numbers of each.
    """

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, size))

    @torch.no_grad()
    def renew(self) -> None:
        """Give every prototype length 1 again; a step has taken it from there.

        It is done to the weights themselves, as in the official code: no gradient passes it.
        """
        self.weight.copy_(F.normalize(self.weight, dim=-1))

    def forward(self, units: Tensor, fixed: bool) -> Tensor:
        """Return how near unit vectors `(..., size)` are to each, `(..., count)` in [-1, 1].

        Args:
            units: Vectors of length 1.
            fixed: Give the prototypes no gradient.
        """
        return F.linear(units, self.weight.detach() if fixed else self.weight)


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Spread vectors evenly over prototypes (Sinkhorn-Knopp, on logarithms).

    Args:
        scores: `(..., count)`; all leading axes are shared out together.
        epsilon: Below 1; the smaller, the harder the assignments.
        iterations: How often prototypes, then vectors, are made equals.

    Returns:
        The share of each prototype in a vector, `(..., count)`; a vector's sum to 1, and a
        prototype's nearly to vectors / prototypes.
    """
    logs = scores.flatten(0, -2) / epsilon
    vectors, count = logs.shape
    for _ in range(iterations):
        logs = logs - logs.logsumexp(dim=0, keepdim=True) - math.log(count)
        logs = logs - logs.logsumexp(dim=1, keepdim=True) - math.log(vectors)
    return (logs.exp() * vectors).reshape(scores.shape)


def cross_entropy(targets: Tensor, scores: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy of `softmax(scores / temperature)` with targets, a scalar.

    Both are `(..., count)`.
    """
    return -(targets * (scores / temperature).log_softmax(dim=-1)).sum(dim=-1).mean()
