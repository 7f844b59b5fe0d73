"""Colour jitter: brightness, contrast, saturation and hue of each sample."""

from __future__ import annotations

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import (
    AUGMENTATIONS,
    WHITE,
    as_frames,
    uniform,
)

_LUMA = (0.2989, 0.587, 0.114)


@AUGMENTATIONS.register("color_jitter")
class ColorJitter:
    """Change brightness, contrast, saturation and hue of each sample by factors of its own.

    In this order, in torchvision's arithmetic. Strengths are those of RAD's code (arXiv
    2004.14990). All frames of a sample go through one and the same change of colours: contrast
    turns about the mean grey of the whole stack, not of each frame.

    Args:
        brightness: Factors are uniform on `[1 - brightness, 1 + brightness]`.
        contrast: The same.
        saturation: The same.
        hue: Uniform on `[-hue, hue]`, in turns of the colour circle; at most 0.5.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.5,
    ) -> None:
        if not all(0.0 <= part <= 1.0 for part in (brightness, contrast, saturation, 2 * hue)):
            raise ValueError(
                "brightness, contrast and saturation must lie in [0, 1] and hue in [0, 0.5], got "
                f"{brightness}, {contrast}, {saturation}, {hue}"
            )
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.hue = hue

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Change the colours of float pictures `(B, 3k, H, W)`, 0-255."""
        frames = as_frames(obs) / WHITE
        shape = (len(obs), 1, 1, 1, 1)
        brightness, contrast, saturation = (
            uniform(obs, 1.0 - part, 1.0 + part, shape, generator)
            for part in (self.brightness, self.contrast, self.saturation)
        )
        turn = uniform(obs, -self.hue, self.hue, shape, generator)
        frames = (frames * brightness).clamp_(0.0, 1.0)
        mean = _grey(frames).mean(dim=(1, 2, 3, 4), keepdim=True)
        frames = torch.lerp(mean, frames, contrast).clamp_(0.0, 1.0)
        frames = torch.lerp(_grey(frames), frames, saturation).clamp_(0.0, 1.0)
        return turn_hue(frames, turn).mul_(WHITE).view(obs.shape)


def turn_hue(frames: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of frames `(B, k, 3, H, W)` in [0, 1], by `turn` of the colour circle.

    Value and saturation (as in HSV) stay what they are.
    """
    red, green, blue = frames.unbind(2)
    value, lowest = frames.amax(2), frames.amin(2)
    chroma = value - lowest
    # A grey has no hue; any number will do, as its chroma is zero.
    safe = chroma.clamp_min(torch.finfo(frames.dtype).tiny)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sixths = sixths + 6 * turn.squeeze(2)
    # Foley and van Dam's way back, in the form without cases: one ramp, begun at 5, 3 and 1.
    ramps = []
    for start in (5.0, 3.0, 1.0):
        place = (sixths + start).remainder_(6)
        ramps.append(torch.minimum(place, 4 - place).clamp_(0.0, 1.0))
    return value.unsqueeze(2) - chroma.unsqueeze(2) * torch.stack(ramps, dim=2)


def _grey(frames: Tensor) -> Tensor:
    """Return the luma of frames `(B, k, 3, H, W)`, as `(B, k, 1, H, W)`."""
    weights = frames.new_tensor(_LUMA).view(3, 1, 1)
    return (frames * weights).sum(2, keepdim=True)
