"""Random shift and random crop: each sample is read through a window at a place of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, integers


@AUGMENTATIONS.register("random_shift")
class RandomShift:
    """Shift by up to `pad` pixels each way: replicate-pad, then an integer crop at random.

    Source: DMC-GB's code (DrQ; the form of the SAC family). The DrQ-v2 family reads a bilinear
    grid at whole offsets, which is the same up to rounding. Any dtype, any number of channels.
    """

    def __init__(self, pad: int = 4) -> None:
        if pad < 0:
            raise ValueError(f"pad must be 0 or more pixels, got {pad}")
        self.pad = pad

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Shift each sample of `(B, C, H, W)` by one offset of its own, shared by its channels."""
        height, width = obs.shape[2:]
        shift = integers(obs, 2 * self.pad + 1, (len(obs), 2), generator)
        top, left = (shift - self.pad).unbind(1)
        return read_windows(obs, top, left, (height, width))


@AUGMENTATIONS.register("random_crop")
class RandomCrop:
    """Cut a square out of each sample at random, such as 84 x 84 out of 100 x 100.

    Offsets are uniform on `0 .. side - size - 1`: the last place is never chosen, as in the code
    of RAD and DMC-GB (`randint(0, crop_max)` with its end excluded). Pictures of that very size
    come back as they are, and no random number is drawn. Any dtype, any number of channels.
    """

    def __init__(self, size: int = 84) -> None:
        if size < 1:
            raise ValueError(f"size must be 1 or more pixels, got {size}")
        self.size = size

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Crop each sample of `(B, C, H, W)` at one place, shared by its channels.

        Returns:
            `(B, C, size, size)`.

        Raises:
            ValueError: if the pictures are smaller than that.
        """
        spare = _spare(obs, self.size)
        if spare == (0, 0):
            return obs.clone()
        top, left = (integers(obs, max(room, 1), (len(obs),), generator) for room in spare)
        return read_windows(obs, top, left, (self.size, self.size))


def center_crop(obs: Tensor, size: int = 84) -> Tensor:
    """Return the middle of pictures `(..., H, W)` as `(..., size, size)`, a view.

    What acting and evaluation see where training sees random crops (RAD): 8 pixels go on each side
    of 100 x 100. Pictures of that very size come back as they are.

    Raises:
        ValueError: if the pictures are smaller than that.
    """
    top, left = (room // 2 for room in _spare(obs, size))
    return obs[..., top : top + size, left : left + size]


def _spare(obs: Tensor, size: int) -> tuple[int, int]:
    """Return by how much pictures are higher and wider than a crop of them."""
    height, width = obs.shape[-2:]
    if min(height, width) < size:
        raise ValueError(
            f"a crop of {size} x {size} does not fit in pictures of {height} x {width}: draw them "
            "larger (100 x 100 in the papers), or ask for a smaller crop"
        )
    return height - size, width - size


def read_windows(obs: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """Read each sample of `(B, C, H, W)` through a window of its own.

    Args:
        obs: Pictures of any dtype.
        top: Each window's first row, int64 `(B,)`; it may lie outside the picture.
        left: Each window's first column.
        size: Height and width of the windows.

    Returns:
        `(B, C, *size)`; past its edge a picture goes on with the edge's own pixels.
    """
    batch, channels, height, width = obs.shape
    # Reading at clamped places is padding and cropping in one go, without the padded copy.
    rows, columns = (torch.arange(side, device=obs.device) for side in size)
    rows = (rows + top[:, None]).clamp(0, height - 1)
    columns = (columns + left[:, None]).clamp(0, width - 1)
    places = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
    flat = obs.reshape(batch, channels, -1)
    return flat.gather(2, places.expand(-1, channels, -1)).view(batch, channels, *size)
