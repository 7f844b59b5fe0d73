"""Selective L2 and the mask head's loss (section 3 of the paper)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

THRESHOLD = 0.0
"""Logits above it are relevant: a probability of one half."""


def nullified(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the pixels that are not learned from: relevant to the mask head, and not to the mask.

    One way only: what the mask has and the head has not is learned from, or the head could not
    catch up. No gradient passes.

    Args:
        logits: The mask head's, `(..., H, W)`.
        mask: `(..., H, W)` bool.
    """
    return (logits.detach() > THRESHOLD) & ~mask


def selective_error(made: Tensor, target: Tensor, ignored: Tensor) -> Tensor:
    """Return the squared error, summed over colours and the pixels that are not ignored: `(...)`.

    It is not divided by how many they are, so that its balance against other losses stays.

    Args:
        made: `(..., C, H, W)`.
        target: The same.
        ignored: `(..., H, W)` bool.
    """
    error = (made - target).square().sum(dim=-3)
    return error.masked_fill(ignored, 0.0).sum(dim=(-2, -1))


def mask_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the binary cross-entropy of masks `(..., H, W)`, summed over pixels: `(...)`."""
    error = F.binary_cross_entropy_with_logits(logits, mask.to(logits.dtype), reduction="none")
    return error.sum(dim=(-2, -1))


def quality(found: Tensor, truth: Tensor, name: str) -> dict[str, Tensor]:
    """Return `<name>_recall`, `_precision` and `_iou` of masks, over all their pixels together.

    Args:
        found: Bool, any shape.
        truth: The same.
        name: Whose masks.
    """
    hit, any_ = (found & truth).sum(), (found | truth).sum()
    return {
        f"{name}_recall": hit / truth.sum().clamp(min=1),
        f"{name}_precision": hit / found.sum().clamp(min=1),
        f"{name}_iou": hit / any_.clamp(min=1),
    }
