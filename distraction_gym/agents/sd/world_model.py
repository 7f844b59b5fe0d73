"""A world model that draws what matters, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from distraction_gym.agents.dreamer.pictures import Decoder
from distraction_gym.agents.dreamer.world_model import Learned, Sequences, WorldModel
from distraction_gym.agents.sd.losses import (
    THRESHOLD,
    mask_loss,
    nullified,
    quality,
    selective_error,
)

HEAD = "mask_head"
START_BIAS = -2.0
"""The mask head's, at first: were it 0, any pixel of the background might be ignored at once."""


class SDWorld(WorldModel):
    """Dreamer's world model with a masked target.

    Args:
        *args: As `WorldModel`.
        selective: Learn a mask head, and spare the pixels that it misses in the masks.
        target: `"rgb"` for the masked picture, `"mask"` for the mask itself, in white.
        mask_gradient: Let the mask head's loss move encoder and RSSM too.
        **kwargs: As `WorldModel`.
    """

    def __init__(
        self,
        *args: Any,
        selective: bool = True,
        target: str = "rgb",
        mask_gradient: bool = False,
        **kwargs: Any,
    ) -> None:
        self.selective, self.draws, self.mask_gradient = selective, target, mask_gradient
        super().__init__(*args, **kwargs)
        self.measured: dict[str, Tensor] = {}

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the mask head, a decoder with one channel of logits."""
        if not self.selective:
            return {}
        head = Decoder(self.features, self.side, self.sizes.depth, channels=1, offset=0.0)
        nn.init.constant_(head.layers[-1][0].bias, START_BIAS)  # type: ignore[index, arg-type]
        return {HEAD: head}

    def mask_logits(self, features: Tensor) -> Tensor:
        """Return the mask head's logits `(..., H, W)` of features `(..., F)`."""
        logits: Tensor = self.extras[HEAD](features)
        return logits.squeeze(-3)

    def target(self, batch: Sequences) -> Tensor:
        """Return the pictures where the mask is, black elsewhere, `(B, T, 3, H, W)` in [0, 1]."""
        pictures, mask = self.pictures(batch), batch.extras["mask"].unsqueeze(-3)
        shown = pictures if self.draws == "rgb" else torch.ones_like(pictures)
        return shown * mask

    def image_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Return the decoder's error: naive, or without the pixels that the mask seems to miss.

        The mask head's own loss is beside it only where it is to move the rest of the model;
        otherwise it is in `Learned.notes`, for an optimizer of its own.
        """
        if not self.selective:
            return super().image_loss(batch, features)
        mask = batch.extras["mask"]
        logits = self.mask_logits(features if self.mask_gradient else features.detach())
        ignored = nullified(logits, mask)
        error = selective_error(self.decoder(features), self.target(batch), ignored)
        own = {"mask_loss": mask_loss(logits, mask).mean()}
        self.measured = {"nullified": ignored.float().mean()}
        if "truth" in batch.extras:
            self.measured |= quality(logits > THRESHOLD, batch.extras["truth"], "head")
        if not self.mask_gradient:
            self.measured |= own
            own = {}
        return {"image_loss": error.mean(), **own}

    def learn(self, batch: Sequences) -> Learned:
        """Return Dreamer's losses, and how good masks are in the notes."""
        self.measured = {}
        learned = super().learn(batch)
        notes = {**learned.notes, **self.measured}
        if "truth" in batch.extras:
            notes |= quality(batch.extras["mask"], batch.extras["truth"], "mask")
        self.measured = {}
        return learned._replace(notes=notes)
