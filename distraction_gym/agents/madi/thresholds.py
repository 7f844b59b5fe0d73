"""From soft masks to hard ones: three ways to say which pixels stay.

All compare strictly and over the whole tensor, that is over the batch, as MaDi's official code
(`MaskerNet.forward`). None has a straight-through estimator: no gradient passes.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from distraction_gym.registry import Registry

THRESHOLDS: Registry[Callable[[Tensor, float], Tensor]] = Registry("threshold mode")
"""Name -> function of soft masks of any shape and of `threshold`; returns bool masks."""


def binarize(masks: Tensor, mode: str, threshold: float) -> Tensor:
    """Return masks of 0 and 1, with the shape and dtype of the soft ones.

    Args:
        masks: In (0, 1), any shape.
        mode: A name in `THRESHOLDS`: `"fix"`, `"avg"` or `"quantile"`.
        threshold: What `"fix"` compares with, the share of pixels that `"quantile"` keeps; unused
            by `"avg"`.

    Raises:
        UnknownName: for another mode.
    """
    return THRESHOLDS[mode](masks, threshold).to(masks.dtype)


def fixed(masks: Tensor, threshold: float) -> Tensor:
    """Keep what exceeds `threshold`."""
    return masks > threshold


def average(masks: Tensor, threshold: float) -> Tensor:
    """Keep what exceeds the mean over the whole tensor; `threshold` plays no part."""
    return masks > masks.mean()


def quantile(masks: Tensor, threshold: float) -> Tensor:
    """Keep the share `threshold` of all pixels, less the one that is compared with and its equals.

    That pixel is the k-th smallest, `k = int((1 - threshold) * n) + 1`.
    """
    k = int((1 - threshold) * masks.numel()) + 1
    return masks > masks.flatten().kthvalue(k).values


for _name, _function in (("fix", fixed), ("avg", average), ("quantile", quantile)):
    THRESHOLDS.add(_name, _function)
