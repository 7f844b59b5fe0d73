"""What SMG sees, as a picture: raw | foreground | mask | background | reconstruction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distraction_gym.agents.smg.losses import blend
from distraction_gym.agents.smg.networks import WHITE

COLUMNS = ("raw", "foreground", "mask", "background", "reconstruction")
"""What the columns show, from left to right."""


def draw_panels(
    obs: Tensor, foreground: Tensor, mask: Tensor, background: Tensor
) -> npt.NDArray[np.uint8]:
    """Draw the newest frame of each observation as a row of `COLUMNS`.

    Args:
        obs: `(B, 3k, H, W)`, 0-255, as `foreground` and `background`.
        foreground: What the decoder draws; only where the mask is bright does it count.
        mask: One per frame, `(B, k, H, W)` in [0, 1].
        background: What the other decoder draws; counts where the mask is dark.

    Returns:
        `(B * H, 5 * W, 3)` uint8, RGB.
    """
    grey = WHITE * mask[:, -1:].expand(-1, 3, -1, -1)
    rebuilt = blend(mask, foreground, background)
    parts = (obs[:, -3:], foreground[:, -3:], grey, background[:, -3:], rebuilt[:, -3:])
    rows = torch.cat(parts, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    drawn = rows.detach().clamp(0.0, WHITE).round().byte().cpu().numpy()
    return np.asarray(drawn, np.uint8)
