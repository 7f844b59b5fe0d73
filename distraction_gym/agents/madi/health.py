"""What masks look like in numbers, and warnings when they fail in one of the known ways."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SAMPLES = 16
"""How many pictures of a batch are measured: enough for a mean, and next to nothing to compute."""


class MaskStatistics(NamedTuple):
    """Numbers of soft masks, each a scalar tensor."""

    mean: Tensor
    """The share of light that passes."""
    spread: Tensor
    """Standard deviation over all pixels: 0 if every pixel is dimmed alike."""
    entropy: Tensor
    """Mean binary entropy of a pixel in bits: 1 at 0.5, 0 if masks are black and white."""


@torch.no_grad()
def measure(masks: Tensor) -> MaskStatistics:
    """Measure the first `SAMPLES` of masks `(B, k, H, W)` in (0, 1)."""
    some = masks.detach()[:SAMPLES]
    bits = (torch.special.entr(some) + torch.special.entr(1 - some)) / math.log(2)
    return MaskStatistics(some.mean(), some.std(), bits.mean())


class Failure(NamedTuple):
    """A way in which masks fail."""

    after: int
    """Updates that a healthy Masker may need to leave this state."""
    seen: Callable[[float, float], bool]
    """Mean and spread -> whether it looks so."""
    message: str


_UNTRAINED = 0.03
"""Masks of Maskers that have learned nothing spread by 0.003 to 0.03 (20 seeds on mini-reach)."""

FAILURES = {
    "grey": Failure(
        5_000,
        lambda mean, spread: abs(mean - 0.5) < 0.1 and spread < _UNTRAINED,
        "masks are an even grey: the Masker dims every pixel alike. If returns rise, it has found "
        "nothing to gain: it needs pictures that differ in what does not matter (augment="
        '"overlay"), mask_type other than "hard" (which trains no Masker), perhaps a larger '
        "masker_lr. If they do not, look for the fault in the agent first",
    ),
    "black": Failure(
        500,
        lambda mean, spread: mean < 0.02,
        "masks are black: the Masker lets nothing through, and hardly any gradient reaches it "
        "there. Start again with a smaller masker_lr or another seed, and look whether the "
        "critic's loss or the rewards are large",
    ),
}


class MaskWatch:
    """Warns once of each failure."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, updates: int, mean: float, spread: float) -> None:
        """Warn if masks with this mean and spread, after so many updates, are a failure."""
        for name, failure in FAILURES.items():
            if name in self._told or updates < failure.after or not failure.seen(mean, spread):
                continue
            self._told.add(name)
            warnings.warn(
                f"after {updates} updates {failure.message} (mean {mean:.3f}, standard deviation "
                f"over pixels {spread:.3f}; train/mask_mean and train/mask_spread log both)",
                RuntimeWarning,
                stacklevel=2,
            )
