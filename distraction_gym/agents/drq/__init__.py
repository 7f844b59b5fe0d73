"""DrQ: image augmentation is all you need (arXiv 2004.13649), in DMC-GB's form."""

from __future__ import annotations

from typing import Any

from distraction_gym.agents.common.visual_sac import VisualSAC

__all__ = ["DrQ"]


class DrQ(VisualSAC):
    """SAC on randomly shifted pictures: one shift per target and per Q value (K = 1, M = 1).

    Args:
        *args: As `VisualSAC`.
        shift: Pixels of random shift of observations.
        shift_next: The same for next observations, which are shifted on their own.
        **kwargs: As `VisualSAC`.
    """

    def __init__(self, *args: Any, shift: int = 4, shift_next: int = 4, **kwargs: Any) -> None:
        super().__init__(*args, shift=shift, shift_next=shift_next, **kwargs)
