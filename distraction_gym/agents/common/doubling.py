"""A layer for decoders: convolution of a doubled picture, without doubling it."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DoublingConv(nn.Conv2d):
    """A 3x3 convolution, padding 1, of a picture doubled by nearest neighbour.

    Two rows of the doubled picture are one row of the small one, so each of the four outputs
    over a small pixel is a 3x3 filter of the small picture, made of sums of the weights. The
    result is the same; the doubled picture, most of the memory that a decoder moves, never is.
    """

    _TAPS: ClassVar = (((1, 0, 0), (0, 1, 1), (0, 0, 0)), ((0, 0, 0), (1, 1, 0), (0, 0, 1)))
    """Which weights fall on the small row before, the same and after, in even and odd rows."""

    taps: Tensor

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__(inward, outward, 3, padding=1)
        self.register_buffer("taps", torch.tensor(self._TAPS, dtype=torch.float), persistent=False)

    def forward(self, small: Tensor) -> Tensor:
        """Return `(N, outward, 2H, 2W)` of `(N, inward, H, W)`."""
        filters = torch.einsum("yik,xjl,ockl->oyxcij", self.taps, self.taps, self.weight)
        assert self.bias is not None
        each = F.conv2d(small, filters.flatten(0, 2), self.bias.repeat_interleave(4), padding=1)
        return F.pixel_shuffle(each, 2)
