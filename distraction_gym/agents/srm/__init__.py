"""SRM: spectrum random masking (Huang et al., NeurIPS 2022)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from distraction_gym.agents.common.augmentations import SpectrumMask
from distraction_gym.agents.drq import DrQ

__all__ = ["SRM"]


class SRM(DrQ):
    """DrQ that learns, half of the time, from pictures that lack some frequencies.

    Critic and actor see one and the same filtered observations; next observations are only
    shifted (the form of the code of SRM's authors and of SMG).

    Args:
        *args: As `DrQ`.
        srm_probability: How often a batch is filtered.
        **kwargs: As `DrQ`.
    """

    def __init__(self, *args: Any, srm_probability: float = 0.5, **kwargs: Any) -> None:
        self.srm_probability = srm_probability
        super().__init__(*args, **kwargs)

    def augment_batch(self, obs: Tensor, next_obs: Tensor) -> tuple[Tensor, Tensor]:
        """Shift both, then remove frequencies from the observations."""
        obs, next_obs = super().augment_batch(obs, next_obs)
        return self.spectrum_mask(obs), next_obs

    def _setup_model(self) -> None:
        super()._setup_model()
        self.spectrum_mask = SpectrumMask(self.srm_probability)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "spectrum_mask"]
