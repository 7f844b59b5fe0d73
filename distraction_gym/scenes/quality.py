"""How well a MuJoCo scene is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from distraction_gym.registry import Registry


@dataclass(frozen=True)
class Quality:
    """What a render quality changes; None leaves the model's own value."""

    shadow_size: int | None = None
    samples: int | None = None
    shadows: bool = True
    skips_hidden: bool = False
    """Whether reflections are left out of parts that a distraction covers (see `Scene.hide`)."""


QUALITIES: Registry[Quality] = Registry("render quality")
QUALITIES.add("standard", Quality())
QUALITIES.add("fast", Quality(shadow_size=1024, skips_hidden=True))
QUALITIES.add("draft", Quality(samples=0, shadows=False, skips_hidden=True))
