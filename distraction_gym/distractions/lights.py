"""Other light: from elsewhere, of another colour, brighter or darker, with or without shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.paths import Wander
from distraction_gym.registry import unknown
from distraction_gym.scene import Light as Lamp
from distraction_gym.scene import Scene, Vector
from distraction_gym.typing import RGB

CHANGES = ("position", "color", "strength")
SHADOWS = ("stock", "on", "off", "random")
_SWING = np.radians(60.0)
_COLOR = 0.8
_DARKEST, _BRIGHTEST = 0.3, 1.8
_NUMBERS = 6  # per lamp: a swing about two axes, three channels, the strength


@DISTRACTIONS.register("light")
class Light(Distraction):
    """Move, colour, brighten or darken every light.

    `intensity`: at 1, a lamp swings by up to 60 degrees about what the camera looks at, each
    colour channel loses up to 80 %, and the brightness is between 0.3 and 1.8 times its own. The
    light at the camera changes its colour and brightness only.

    Args:
        intensity: In [0, 1].
        change: Which of `"position"`, `"color"` and `"strength"`.
        moving: Whether the light goes on changing, smoothly; otherwise it is drawn per episode.
        shadows: `"stock"`, `"on"`, `"off"`, or `"random"`: on or off for each episode.

    Raises:
        UnknownName: for a change or a kind of shadows that does not exist.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self,
        intensity: float = 0.5,
        change: Sequence[str] = CHANGES,
        moving: bool = False,
        shadows: str = "stock",
    ) -> None:
        for name in change:
            if name not in CHANGES:
                raise unknown("change of light", name, CHANGES)
        if shadows not in SHADOWS:
            raise unknown("kind of shadows", shadows, SHADOWS)
        self._intensity, self._change = unit("intensity", intensity), frozenset(change)
        self._moving, self._shadows = moving, shadows
        self._rng: np.random.Generator | None = None
        self._step, self._casts_shadow = 0, True
        self._wander: Wander | None = None
        self._held: npt.NDArray[np.float64] | None = None

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode: how many lights there are is known when its first frame is staged."""
        self._rng, self._step, self._wander, self._held = rng, 0, None, None
        self._casts_shadow = bool(rng.random() < 0.5)

    def stage(self, scene: Scene) -> None:
        """Change the lights.

        Raises:
            UnsupportedEnvironment: if the scene has none that can be changed.
        """
        if not self._intensity:
            return
        lamps = scene.lights()
        numbers = self._intensity * self._numbers(len(lamps))
        focus = scene.focus()
        scene.light([self._lit(*pair, focus) for pair in zip(lamps, numbers, strict=True)])
        self._step += 1

    def describe(self) -> dict[str, Any]:
        """Return the intensity, and whether there are shadows this episode."""
        shadows = self._shadows
        if shadows == "random":
            shadows = "on" if self._casts_shadow else "off"
        return {"intensity": self._intensity, "shadows": shadows}

    def _numbers(self, count: int) -> npt.NDArray[np.float64]:
        """Return numbers in [-1, 1] for each lamp, `(count, 6)`."""
        assert self._rng is not None, "reset comes first"
        if self._moving:
            if self._wander is None:
                self._wander = Wander.draw(self._rng, count * _NUMBERS)
            return self._wander.at(self._step).reshape(count, _NUMBERS)
        if self._held is None:
            self._held = self._rng.uniform(-1, 1, (count, _NUMBERS))
        return self._held

    def _lit(self, lamp: Lamp, numbers: npt.NDArray[np.float64], focus: Vector) -> Lamp:
        if "position" in self._change and not lamp.is_headlight:
            swing = _swing(*(_SWING * numbers[:2]))
            position = focus + swing @ (np.array(lamp.position) - focus)
            lamp = replace(
                lamp, position=_triple(position), direction=_triple(swing @ lamp.direction)
            )
        gain = np.ones(3)
        if "color" in self._change:
            gain -= _COLOR * np.abs(numbers[2:5])
        if "strength" in self._change:
            end = _BRIGHTEST if numbers[5] > 0 else _DARKEST
            gain *= end ** abs(numbers[5])
        if self._shadows != "stock":
            casts = self._casts_shadow if self._shadows == "random" else self._shadows == "on"
            lamp = replace(lamp, casts_shadow=casts)
        ambient, diffuse = _triple(gain * lamp.ambient), _triple(gain * lamp.diffuse)
        return replace(lamp, ambient=ambient, diffuse=diffuse)


@DISTRACTIONS.register("light_sweep")
class LightSweep(Distraction):
    """Move every lamp to and fro along the world's y axis (RL-ViGen's code, Adroit).

    `intensity`: the share of `step` and `reach`. The light at the camera stays.

    Args:
        intensity: In [0, 1].
        step: Metres per agent step.
        reach: How far from its own place a lamp turns round, in metres.

    Raises:
        ValueError: for an intensity outside [0, 1], or a step or a reach that is not positive.
    """

    def __init__(self, intensity: float = 1.0, step: float = 0.12, reach: float = 3.0) -> None:
        if min(step, reach) <= 0:
            raise ValueError(f"step and reach must be positive, got {step!r} and {reach!r}")
        self._intensity = unit("intensity", intensity)
        self._move, self._moves, self._passed = step, max(1, round(reach / step)), 0

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode, with the lamps where they belong."""
        self._passed = 0

    def stage(self, scene: Scene) -> None:
        """Move the lamps.

        Raises:
            UnsupportedEnvironment: if the scene has none that can be moved.
        """
        if not self._intensity:
            return
        # To the one side, back over the middle, to the other: a cycle of four times the reach.
        phase = (self._passed + self._moves) % (4 * self._moves)
        moves = min(phase, 4 * self._moves - phase) - self._moves
        self._passed += 1
        aside = self._intensity * self._move * moves
        scene.light([_aside(lamp, aside) for lamp in scene.lights()])

    def describe(self) -> dict[str, Any]:
        """Return the intensity."""
        return {"intensity": self._intensity}


def _aside(lamp: Lamp, metres: float) -> Lamp:
    if lamp.is_headlight:
        return lamp
    x, y, z = lamp.position
    return replace(lamp, position=(x, y + metres, z))


def _swing(about_x: float, about_y: float) -> npt.NDArray[np.float64]:
    cosine, sine = np.cos(about_x), np.sin(about_x)
    first = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    cosine, sine = np.cos(about_y), np.sin(about_y)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]) @ first


def _triple(values: Any) -> RGB:
    first, second, third = (float(value) for value in values)
    return first, second, third
