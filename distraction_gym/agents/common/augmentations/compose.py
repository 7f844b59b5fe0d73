"""Several augmentations one after the other, written down as names and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, Augmentation

Augment = str | Sequence[str | Mapping[str, Any]]
"""A name in `AUGMENTATIONS`, or a list of names and of `{"kind": name, **arguments}`."""


class Compose:
    """Augmentations that act one after the other, the first in the list first."""

    def __init__(self, parts: Sequence[Augmentation]) -> None:
        self.parts = list(parts)

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Pass float pictures `(B, 3k, H, W)`, 0-255, through every part."""
        for part in self.parts:
            obs = part(obs, generator)
        return obs


def build(augment: Augment, defaults: Mapping[str, Mapping[str, Any]] | None = None) -> Compose:
    """Build what a name or a list asks for, such as `["overlay", {"kind": "spectrum_mask"}]`.

    Args:
        augment: A name, or a list whose items are names or `{"kind": name, **arguments}`, in
            the order in which they act. JSON types, so that a model file can hold it.
        defaults: Arguments by kind, used where an item does not name its own.

    Raises:
        UnknownName: for a name that is not in `AUGMENTATIONS`.
        ValueError: for an empty list, an item of another form, or arguments that a kind lacks.
    """
    items = [augment] if isinstance(augment, str) else list(augment)
    if not items:
        raise ValueError("no augmentation: expected a name or a list such as ['overlay']")
    return Compose([_part(item, defaults or {}) for item in items])


def _part(item: str | Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> Augmentation:
    named: Any = {"kind": item} if isinstance(item, str) else item
    if not isinstance(named, Mapping) or "kind" not in named:
        raise ValueError(
            "an augmentation is a name or a dictionary such as {'kind': 'cutout', 'largest': 20}, "
            f"got {item!r}"
        )
    arguments = {name: value for name, value in named.items() if name != "kind"}
    part = AUGMENTATIONS[named["kind"]]
    known = list(inspect.signature(part).parameters)
    if surplus := sorted(set(arguments) - set(known)):
        raise ValueError(
            f"the augmentation {named['kind']!r} does not take {', '.join(surplus)}; it takes "
            f"{', '.join(known) or 'nothing'}"
        )
    return part(**{**defaults.get(named["kind"], {}), **arguments})
