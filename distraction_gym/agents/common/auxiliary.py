"""Losses beside the critic's, with an optimizer of their own and every few updates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.visual_sac import Batch, VisualSAC


class AuxiliaryLosses(VisualSAC):
    """The loop, and after critic, actor and target a step down the method's own losses.

    They may train the trunk too, which then has two optimizers, as in the papers' code.

    Args:
        *args: As `VisualSAC`.
        aux_lr: Adam's rate for the auxiliary losses.
        aux_update_interval: Updates from one of their steps to the next.
        aux_clip: Largest norm of their gradient; None for no limit.
        **kwargs: As `VisualSAC`.
    """

    def __init__(
        self,
        *args: Any,
        aux_lr: float = 1e-3,
        aux_update_interval: int = 2,
        aux_clip: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.aux_lr, self.aux_update_interval = aux_lr, aux_update_interval
        self.aux_clip = aux_clip
        super().__init__(*args, **kwargs)

    # Hooks: what a method states.

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return weighted losses by name; their sum is what is stepped down."""
        raise NotImplementedError

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Return Adam's groups (`params`) of what these losses train, the trunk if they do."""
        raise NotImplementedError

    def after_auxiliary(self) -> None:
        """Do what follows a step, such as moving an average of weights."""

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        losses = super()._update(batch)
        if self._n_updates % self.aux_update_interval == 0:
            losses |= self._update_auxiliary(batch)
        return losses

    def _update_auxiliary(self, batch: Batch) -> dict[str, Tensor]:
        named = self.auxiliary_losses(batch)
        losses = descend(named, [self.auxiliary_optimizer], self.aux_clip) if named else {}
        self.after_auxiliary()
        return losses

    def _setup_model(self) -> None:
        super()._setup_model()
        self.auxiliary_optimizer = torch.optim.Adam(self.auxiliary_groups(), self.aux_lr)

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        return [*modules, "auxiliary_optimizer"], tensors

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "auxiliary_optimizer"]
