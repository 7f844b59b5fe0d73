"""MaDi: learning to mask distractions (arXiv 2312.15339)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from distraction_gym.agents.madi.masker import Masker
from distraction_gym.agents.svea import SVEA

__all__ = ["MaDi", "Masker"]


class MaDi(SVEA):
    """SVEA on pictures that a small network has dimmed where nothing matters.

    The Masker has no loss of its own: the critic's trains it. Masks apply wherever a network
    sees a picture; strong augmentation comes first, the mask after it (MaDi's official code).

    Args:
        *args: As `SVEA`.
        masker_lr: Adam's rate for the Masker.
        masker_filters: Filters of its hidden layers.
        masker_layers: Convolutions in all.
        shift_next: 0, since the official code leaves next observations unshifted.
        **kwargs: As `SVEA`.
    """

    EXPLAINS = "mask"

    def __init__(
        self,
        *args: Any,
        masker_lr: float = 1e-3,
        masker_filters: int = 32,
        masker_layers: int = 3,
        shift_next: int = 0,
        **kwargs: Any,
    ) -> None:
        self.masker_lr = masker_lr
        self.masker_filters, self.masker_layers = masker_filters, masker_layers
        super().__init__(*args, shift_next=shift_next, **kwargs)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the Masker."""
        return {"masker": Masker(self.masker_filters, self.masker_layers)}

    def critic_groups(self) -> list[dict[str, Any]]:
        """Have the critic's loss train the Masker."""
        return [{"params": self.extras["masker"].parameters(), "lr": self.masker_lr}]

    def masks(self, obs: Tensor) -> Tensor:
        """Return one soft mask per frame, `(B, k, H, W)` in (0, 1), of `(B, 3k, H, W)`, 0-255."""
        height, width = obs.shape[2:]
        masks = self.extras["masker"](obs.reshape(-1, 3, height, width))
        return masks.view(len(obs), -1, height, width)

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Multiply each frame by the mask that the Masker makes of it."""
        frames = obs.view(len(obs), -1, 3, *obs.shape[2:])
        return (frames * self.masks(obs).unsqueeze(2)).view_as(obs)

    def attention(self, obs: Tensor) -> Tensor:
        """Return the newest frame's mask, `(B, H, W)` in (0, 1)."""
        return self.masks(obs)[:, -1]
