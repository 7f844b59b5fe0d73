"""SVEA: stabilized Q-value estimation under augmentation (arXiv 2107.00644)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.common.visual_sac import Batch

__all__ = ["SVEA"]


class SVEA(StrongAugmentation):
    """Learn Q values of clean and strongly augmented pictures from one clean target.

    Args:
        *args: As `VisualSAC`.
        svea_alpha: Weight of the clean half of the loss.
        svea_beta: Weight of the augmented half.
        shift: Pixels of random shift, also beneath the strong augmentation.
        shift_next: The same for next observations.
        **kwargs: As `StrongAugmentation` (`augment`, `overlay_images`, ...).
    """

    def __init__(
        self,
        *args: Any,
        svea_alpha: float = 0.5,
        svea_beta: float = 0.5,
        shift: int = 4,
        shift_next: int = 4,
        **kwargs: Any,
    ) -> None:
        self.svea_alpha, self.svea_beta = svea_alpha, svea_beta
        super().__init__(*args, shift=shift, shift_next=shift_next, **kwargs)

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return `alpha * error(o) + beta * error(augmented o)`, both against the clean target."""
        target = self.td_target(batch)
        if not self.svea_beta:  # no random number is drawn for what counts nothing
            return self.svea_alpha * self.q_error(batch.obs, batch.action, target)
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
