"""Overlay: another picture laid over each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, WHITE, as_frames

if TYPE_CHECKING:
    from distraction_gym.assets.pictures import PictureSource


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
        frames = as_frames(obs)
        picture = self._draw(obs, generator).unsqueeze(1)
        return frames.lerp(picture, self.alpha).clamp_(0.0, WHITE).view(obs.shape)

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
