"""Augmentations of stacked frames: one random draw per sample, shared by its frames.

All take and return float pictures `(B, 3k, H, W)` with values 0-255 and never write into their
input. Randomness comes from the generator they are given, else from torch's own: a checkpoint that
restores torch's state also restores what they will draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.registry import Registry

if TYPE_CHECKING:
    from distraction_gym.assets.pictures import PictureSource

WHITE = 255.0


class Augmentation(Protocol):
    """What an augmentation can do."""

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return augmented pictures, like `obs`: float `(B, 3k, H, W)`, 0-255."""


AUGMENTATIONS: Registry[type[Augmentation]] = Registry("augmentation")


def _frames(obs: Tensor) -> Tensor:
    """View a stack frame by frame: `(B, 3k, H, W)` -> `(B, k, 3, H, W)`."""
    if obs.ndim != 4 or obs.shape[1] % 3:
        raise ValueError(f"expected stacked RGB frames (B, 3k, H, W), got {tuple(obs.shape)}")
    if not obs.is_floating_point():
        raise TypeError(f"expected float pictures with values 0-255, got {obs.dtype}: obs.float()")
    return obs.reshape(len(obs), -1, 3, *obs.shape[2:])


@AUGMENTATIONS.register("random_shift")
class RandomShift:
    """Shift by up to `pad` pixels each way: replicate-pad, then an integer crop at random.

    Source: DMC-GB's code (DrQ; the form of the SAC family). Any dtype, any number of channels.
    """

    def __init__(self, pad: int = 4) -> None:
        if pad < 0:
            raise ValueError(f"pad must be 0 or more pixels, got {pad}")
        self.pad = pad

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Shift each sample of `(B, C, H, W)` by one offset of its own, shared by its channels."""
        batch, channels, height, width = obs.shape
        draw = (batch, 2)
        shift = torch.randint(2 * self.pad + 1, draw, generator=generator, device=obs.device)
        # Reading at clamped places is padding and cropping in one go, without the padded copy.
        dy, dx = (shift - self.pad).unbind(1)
        rows = (torch.arange(height, device=obs.device) + dy[:, None]).clamp(0, height - 1)
        columns = (torch.arange(width, device=obs.device) + dx[:, None]).clamp(0, width - 1)
        places = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
        flat = obs.reshape(batch, channels, -1)
        return flat.gather(2, places.expand(-1, channels, -1)).view_as(obs)


@AUGMENTATIONS.register("random_conv")
class RandomConv:
    """Filter each sample with a 3x3 convolution of random weights, 3 channels to 3.

    `255 * sigmoid(conv(obs / 255))`, weights N(0, 1), no bias, replicate padding of 1, the same
    for all frames of a sample. Source: the code of MaDi and of DMC-GB.
    """

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Filter float pictures `(B, 3k, H, W)`, 0-255."""
        frames = _frames(obs)
        batch, stack, _, height, width = frames.shape
        draw = (batch * 3, 3, 3, 3)
        weight = torch.randn(draw, generator=generator, device=obs.device, dtype=obs.dtype)
        padded = F.pad(obs / WHITE, (1, 1, 1, 1), mode="replicate")
        # Samples become groups, so that each meets its own kernel; frames become the batch.
        grouped = padded.view(batch, stack, 3, height + 2, width + 2).transpose(0, 1)
        grouped = grouped.reshape(stack, batch * 3, height + 2, width + 2)
        out = F.conv2d(grouped, weight, groups=batch).sigmoid() * WHITE
        return out.view(stack, batch, 3, height, width).transpose(0, 1).reshape(obs.shape)


@AUGMENTATIONS.register("overlay")
class Overlay:
    """Lay a picture over each sample: `alpha * picture + (1 - alpha) * obs`, clamped to 0-255.

    One picture per sample, the same on all its frames. Source: the code of MaDi and of DMC-GB.
    The pictures are for training only: no evaluation clip is among them.

    Args:
        images: `"generated"`, or a folder of pictures (the layout of Places365), or a source that
            exists already.
        alpha: The picture's weight.
        seed: Seed of generated pictures.
    """

    def __init__(
        self, images: str | PictureSource = "generated", alpha: float = 0.5, seed: int = 0
    ) -> None:
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
        self.images, self.alpha, self.seed = images, alpha, seed
        self._sources: dict[tuple[int, int], PictureSource] = {}

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Overlay float pictures `(B, 3k, H, W)`, 0-255."""
        frames = _frames(obs)
        picture = self._draw(obs, generator).unsqueeze(1)
        out = self.alpha * picture + (1.0 - self.alpha) * frames
        return out.clamp_(0.0, WHITE).view(obs.shape)

    def _draw(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw one picture per sample, `(B, 3, H, W)` on the device of `obs`."""
        # The source draws with numpy; torch seeds it, since torch's state is what a run restores.
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**63 - 1, (), generator=generator, device=device))
        source = self._source((int(obs.shape[2]), int(obs.shape[3])))
        picked = source.sample(len(obs), np.random.default_rng(seed))
        return torch.from_numpy(picked).to(obs.device).to(obs.dtype)

    def _source(self, size: tuple[int, int]) -> PictureSource:
        """Return the pictures at the observation's (height, width), made or read once."""
        if not isinstance(self.images, str):
            return self.images
        if size not in self._sources:
            from distraction_gym.assets.pictures import pictures  # OpenCV: only when it is needed

            self._sources[size] = pictures(self.images, size, self.seed)
        return self._sources[size]
