"""Spectrum random masking (SRM): some spatial frequencies of a batch removed."""

from __future__ import annotations

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, as_frames, number

_HIGHEST, _WIDEST, _DIGITS = 0.5, 0.05, 2


@AUGMENTATIONS.register("spectrum_mask")
class SpectrumMask:
    """Remove a square ring of frequencies, the same from the whole batch, or change nothing.

    With `probability`, frequencies with `low <= max(|fx|, |fy|) < low + width` (cycles per pixel)
    are set to zero; `low` is uniform on 0..0.5 and `width` on 0..0.05, both rounded to two
    digits, so that one ring in ten has no width. One draw per *batch*, not per sample. Source:
    the form that the code of SRM's authors, SMG and RL-ViGen calls.

    What comes back is not clamped to 0-255, since that would fill the ring again; a ring from
    `low = 0` takes the mean brightness too.
    """

    def __init__(self, probability: float = 0.5) -> None:
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"probability must lie in [0, 1], got {probability}")
        self.probability = probability

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Filter float pictures `(B, 3k, H, W)`, or copy them."""
        as_frames(obs)
        # Where it never acts it draws nothing, so that a run is the same as one without it.
        if not self.probability or number(generator) > self.probability:
            return obs.clone()
        low = round(_HIGHEST * number(generator), _DIGITS)
        width = round(_WIDEST * number(generator), _DIGITS)
        return remove_ring(obs, low, low + width)


def remove_ring(obs: Tensor, low: float, high: float) -> Tensor:
    """Return float pictures `(..., H, W)` without `low <= max(|fx|, |fy|) < high`."""
    height, width = obs.shape[-2:]
    fy = torch.fft.fftfreq(height, device=obs.device).abs()
    # Pictures are real: the other half of their spectrum mirrors this one.
    fx = torch.fft.rfftfreq(width, device=obs.device)
    frequency = torch.maximum(fy[:, None], fx)
    ring = (frequency >= low) & (frequency < high)
    spectrum = torch.fft.rfft2(obs).masked_fill_(ring, 0.0)
    return torch.fft.irfft2(spectrum, s=(height, width))
