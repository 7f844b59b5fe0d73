"""What SD is shown, what it learns, and what it makes of it, as a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from distraction_gym.agents.dreamer.panels import as_bytes
from distraction_gym.agents.dreamer.world_model import Sequences
from distraction_gym.agents.sd.world_model import SDWorld

STRIPS = ("picture", "target", "reconstruction", "mask head")


@torch.no_grad()
def draw_masks(model: SDWorld, batch: Sequences, rows: int = 4) -> npt.NDArray[np.uint8]:
    """Draw sequences, in strips one below the other: see `STRIPS`; the last where there is one.

    Returns:
        `(rows * strips * H, T * W, 3)` uint8, RGB.
    """
    part = batch.map(lambda value: value[:rows])
    features = model.observe(part)[0].features
    seen = model.pictures(part)
    strips = [seen, model.target(part), model.decoder(features)]
    if model.selective:
        chance = model.mask_logits(features).sigmoid().unsqueeze(-3)
        strips.append(chance.expand_as(seen))
    sheet = torch.stack(strips, dim=1)  # (rows, strips, T, 3, H, W)
    laid = sheet.permute(0, 1, 4, 2, 5, 3)
    count, kinds, height, steps, width, colors = laid.shape
    return as_bytes(laid.reshape(count * kinds * height, steps * width, colors))
