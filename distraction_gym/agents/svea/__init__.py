"""SVEA: stabilized Q-value estimation under augmentation (arXiv 2107.00644)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations import Augment, build
from distraction_gym.agents.common.visual_sac import Batch, VisualSAC

__all__ = ["SVEA"]


class SVEA(VisualSAC):
    """Learn Q values of clean and strongly augmented pictures from one clean target.

    Args:
        *args: As `VisualSAC`.
        augment: Strong augmentation, a name in `AUGMENTATIONS` such as `"overlay"` or
            `"random_conv"`; or a list of what acts one after the other, names or
            `{"kind": name, **arguments}`.
        overlay_images: Pictures for `"overlay"`: `"generated"`, or a folder (Places365's layout).
        overlay_alpha: Their weight.
        svea_alpha: Weight of the clean half of the loss.
        svea_beta: Weight of the augmented half.
        shift: Pixels of random shift, also beneath the strong augmentation.
        shift_next: The same for next observations.
        **kwargs: As `VisualSAC`.
    """

    def __init__(
        self,
        *args: Any,
        augment: Augment = "overlay",
        overlay_images: str = "generated",
        overlay_alpha: float = 0.5,
        svea_alpha: float = 0.5,
        svea_beta: float = 0.5,
        shift: int = 4,
        shift_next: int = 4,
        **kwargs: Any,
    ) -> None:
        self.augment = augment
        self.overlay_images, self.overlay_alpha = overlay_images, overlay_alpha
        self.svea_alpha, self.svea_beta = svea_alpha, svea_beta
        super().__init__(*args, shift=shift, shift_next=shift_next, **kwargs)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return `alpha * error(o) + beta * error(augmented o)`, both against the clean target."""
        target = self.td_target(batch)
        augmented = self.augmentation(batch.obs)
        if self.svea_alpha != self.svea_beta:
            clean = self.svea_alpha * self.q_error(batch.obs, batch.action, target)
            return clean + self.svea_beta * self.q_error(augmented, batch.action, target)
        # A mean over both halves at once is half of the sum of two means.
        both = (
            torch.cat([x, y])
            for x, y in zip(
                (batch.obs, batch.action, target), (augmented, batch.action, target), strict=True
            )
        )
        return (self.svea_alpha + self.svea_beta) * self.q_error(*both)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        """Meet a missing folder of pictures now, not after the random steps."""
        # Blank pictures, and a generator of its own: the run's random numbers stay as they were.
        blank = torch.zeros(1, *(self.observation_space.shape or ()), device=self.device)
        self.augmentation(blank, torch.Generator(self.device).manual_seed(0))
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        overlay = {"images": self.overlay_images, "alpha": self.overlay_alpha}
        self.augmentation = build(self.augment, {"overlay": overlay})

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "augmentation"]
