"""MaDi: learning to mask distractions (arXiv 2312.15339)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from distraction_gym.agents.common.learning import KnowsLearning
from distraction_gym.agents.madi.health import MaskWatch, measure
from distraction_gym.agents.madi.masker import Masker
from distraction_gym.agents.madi.thresholds import THRESHOLDS, binarize
from distraction_gym.agents.svea import SVEA
from distraction_gym.registry import unknown

__all__ = ["MaDi", "Masker"]

MASK_TYPES = ("soft", "hard", "mixed")
LOOK_EVERY = 500
"""Updates between looks at whether the masks have failed."""


class MaDi(SVEA, KnowsLearning):
    """SVEA on pictures that a small network has dimmed where nothing matters.

    The Masker has no loss of its own: the critic's trains it. Masks apply wherever a network
    sees a picture; strong augmentation comes first, the mask after it (MaDi's official code).

    Args:
        *args: As `SVEA`.
        masker_lr: Adam's rate for the Masker.
        masker_filters: Filters of its hidden layers.
        masker_layers: Convolutions in all.
        mask_type: `"soft"`; `"hard"`, masks of 0 and 1 everywhere, through which no gradient
            reaches the Masker; or `"mixed"`, soft while the model learns, and hard whenever
            anyone else asks it to act or to explain itself.
        threshold_mode: How masks become hard: `"fix"`, `"avg"` or `"quantile"`
            (`madi.thresholds`).
        mask_threshold: What `"fix"` compares with, or the share of pixels that `"quantile"` keeps.
        shift_next: 0, since the official code leaves next observations unshifted.
        **kwargs: As `SVEA`.

    Raises:
        UnknownName: for a mask type or threshold mode that does not exist.
        ValueError: for a threshold outside (0, 1].
    """

    EXPLAINS = "mask"

    def __init__(
        self,
        *args: Any,
        masker_lr: float = 1e-3,
        masker_filters: int = 32,
        masker_layers: int = 3,
        mask_type: str = "soft",
        threshold_mode: str = "fix",
        mask_threshold: float = 0.5,
        shift_next: int = 0,
        **kwargs: Any,
    ) -> None:
        if mask_type not in MASK_TYPES:
            raise unknown("mask type", mask_type, MASK_TYPES)
        if threshold_mode not in THRESHOLDS:
            raise unknown("threshold mode", threshold_mode, THRESHOLDS)
        if not 0.0 < mask_threshold <= 1.0:
            raise ValueError(f"mask_threshold must lie in (0, 1], got {mask_threshold}")
        self.masker_lr = masker_lr
        self.masker_filters, self.masker_layers = masker_filters, masker_layers
        self.mask_type = mask_type
        self.threshold_mode, self.mask_threshold = threshold_mode, mask_threshold
        super().__init__(*args, shift_next=shift_next, **kwargs)

    # Masks.

    def masks(self, obs: Tensor) -> Tensor:
        """Return one soft mask per frame, `(B, k, H, W)` in (0, 1), of `(B, 3k, H, W)`, 0-255."""
        height, width = obs.shape[2:]
        masks = self.extras["masker"](obs.reshape(-1, 3, height, width))
        return masks.view(len(obs), -1, height, width)

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Multiply each frame by the mask that the Masker makes of it."""
        masks = self.masks(obs)
        if self._learns and torch.is_grad_enabled():  # the critic's pass
            self._observe(masks)
        frames = obs.view(len(obs), -1, 3, *obs.shape[2:])
        return (frames * self._harden(masks).unsqueeze(2)).view_as(obs)

    def attention(self, obs: Tensor) -> Tensor:
        """Return the newest frame's mask as it applies, `(B, H, W)` in [0, 1]."""
        return self._harden(self.masks(obs))[:, -1]

    def _harden(self, masks: Tensor) -> Tensor:
        """Make masks hard if their type says so, here and now."""
        if self.mask_type == "soft" or (self.mask_type == "mixed" and self._learns):
            return masks
        return binarize(masks, self.threshold_mode, self.mask_threshold)

    def _observe(self, masks: Tensor) -> None:
        """Log what masks look like, and now and then look whether they have failed."""
        found = measure(masks)
        for name, value in found._asdict().items():
            self.note(f"mask_{name}", value)
        if self._n_updates % LOOK_EVERY == 0:
            self.watch.look(self._n_updates, found.mean.item(), found.spread.item())

    # What the loop asks.

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the Masker."""
        return {"masker": Masker(self.masker_filters, self.masker_layers)}

    def critic_groups(self) -> list[dict[str, Any]]:
        """Have the critic's loss train the Masker."""
        return [{"params": self.extras["masker"].parameters(), "lr": self.masker_lr}]

    def _setup_model(self) -> None:
        super()._setup_model()
        self.watch = MaskWatch()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "watch"]
