"""RAD: random crops of larger pictures (arXiv 2004.14990)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from distraction_gym.agents.common.augmentations import RandomCrop
from distraction_gym.agents.common.visual_sac import VisualSAC

__all__ = ["RAD"]

CROPPED = 84 / 100
"""What the papers leave of a picture's side."""


class RAD(VisualSAC):
    """SAC that learns from random crops, and acts from the middle of the picture.

    Args:
        *args: As `VisualSAC`.
        crop: Side of the crops in pixels, which the networks are built for: 84 of pictures of 100
            in the papers. None for that share of the pictures at hand.
        **kwargs: As `VisualSAC`. An own `features_extractor_class` has to take `crop`, the side of
            the middle that it reads.

    Raises:
        ValueError: if the pictures are smaller than the crops.
    """

    def __init__(self, *args: Any, crop: int | None = None, **kwargs: Any) -> None:
        self.crop = crop
        super().__init__(*args, **kwargs)

    def augment_batch(self, obs: Tensor, next_obs: Tensor) -> tuple[Tensor, Tensor]:
        """Crop observations and next observations, each at a place of its own."""
        obs, next_obs = super().augment_batch(obs, next_obs)
        return self.random_crop(obs), self.random_crop(next_obs)

    def _setup_model(self) -> None:
        self._check_pictures()
        side = min((self.observation_space.shape or (0,))[1:])
        self.random_crop = RandomCrop(self.crop or round(CROPPED * side))
        extractor = self.policy_kwargs.get("features_extractor_kwargs", {})
        cropped = {**extractor, "crop": self.random_crop.size}
        self.policy_kwargs = {**self.policy_kwargs, "features_extractor_kwargs": cropped}
        super()._setup_model()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "random_crop"]
