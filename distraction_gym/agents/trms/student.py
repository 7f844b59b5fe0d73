"""The student: what teacher and selector would keep of a frame, from the frame alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions

PAPER_FILTERS = (64, 64, 32, 32)


class Student(nn.Module):
    """RGB frames `(N, 3, H, W)`, 0-255 -> logits of one mask each, `(N, 1, H, W)`.

    3x3 convolutions at full size, each but the last followed by ReLU, then batch norm. About 67
    thousand weights. Source: TRMS (TMLR 2025), appendix C.

    Args:
        filters: Filters of its hidden layers.
    """

    def __init__(self, filters: Sequence[int] = PAPER_FILTERS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inward, outward in pairwise([3, *filters]):
            layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(outward)]
        self.convolutions = Convolutions(*layers, nn.Conv2d(filters[-1], 1, 3, padding=1))
        self.apply(_initialize)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits; their sigmoid is the mask."""
        logits: Tensor = self.convolutions(frames / 255.0 - 0.5)
        return logits


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
