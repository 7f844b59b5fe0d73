"""Scenes for environments without a simulator: all they know is a mask, a colour or nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene, inverse
from distraction_gym.scenes.turning import Turning
from distraction_gym.typing import RGB, Frame, Matte

_ROUNDING = 1e-3  # by which weights from a filter or a network may leave [0, 1]
MaskFunction = Callable[[Frame, gym.Env], Matte]
"""`(frame (H, W, 3) uint8, environment) -> (H, W)`, 1 where the picture is to be kept."""


class PixelScene(Scene):
    """A picture whose background is all one thing: the sky and the floor are the same pixels.

    Nothing in it can be given another colour. A camera's turn rotates and moves the picture (see
    `scenes.turning.Turning`), and its masks with it.
    """

    parts = ("sky", "floor")

    def __init__(self) -> None:
        self._turning = Turning()
        self._original: Frame | None = None

    def redraw(self, frame: Frame) -> Frame:
        """Return the frame as the distractions have turned it."""
        self._turning = Turning()
        self.stage()
        self._original = frame
        return self._turning.frame(frame)

    def turn(self, *, roll: float = 0.0, pan: float = 0.0, tilt: float = 0.0) -> None:
        """Rotate and move the next frame, in degrees of an assumed camera (see `scene.Scene`)."""
        self._turning.add(roll, pan, tilt)

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where `frame` shows background, `(H, W)` (see `scene.Scene`).

        Raises:
            UnknownName: for a part that does not exist.
        """
        for part in parts:
            if part not in self.parts:
                raise unknown("part of a picture without a simulator", part, self.parts)
        if not self._turning or self._original is None:
            return self._background(frame)
        # Whoever knows this environment's pictures knows them as they were before the turn.
        return self._turning.matte(self._background(self._original))

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Refuse: colours need a simulator.

        Raises:
            UnsupportedEnvironment: always.
        """
        raise UnsupportedEnvironment(
            "colour modes and composite='chroma' change colours inside a simulator, and of this "
            "environment only the pictures are known. Take a video mode with composite='exact', or "
            "a mode that disturbs pixels."
        )

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Refuse: colours need a simulator (see `recolor`)."""
        self.recolor({})

    def restore(self) -> None:
        """Forget the turns of the last frame: nothing else was edited."""
        self._turning = Turning()

    def _background(self, frame: Frame) -> Matte:
        raise NotImplementedError


class MaskScene(PixelScene):
    """The user's function says what to keep.

    Args:
        function: A function, or `"module:function"`.
        env: What the function is given beside the frame.

    Raises:
        UnknownName: if the string names no function.
    """

    def __init__(self, function: MaskFunction | str, env: gym.Env) -> None:
        super().__init__()
        self._function = _imported(function) if isinstance(function, str) else function
        self._env = env

    def _background(self, frame: Frame) -> Matte:
        keep = np.asarray(self._function(frame, self._env))
        if keep.shape != frame.shape[:2]:
            raise ValueError(
                f"the mask function returned shape {keep.shape} for a frame of shape "
                f"{frame.shape}; expected {frame.shape[:2]}, 1 where the picture is to be kept"
            )
        if keep.dtype == np.bool_:
            return inverse(keep.astype(np.bool_))
        if keep.min() < -_ROUNDING or keep.max() > 1 + _ROUNDING:
            raise ValueError(
                f"the mask function returned values from {keep.min()} to {keep.max()}; expected "
                "booleans, or weights in [0, 1], 1 where the picture is to be kept"
            )
        return inverse(keep.astype(np.float32))


class ColorKeyScene(PixelScene):
    """Pixels near one colour are background.

    Args:
        color: `[r, g, b]`, 0-255.
        tolerance: Largest difference per channel that still counts as that colour.
    """

    def __init__(self, color: Sequence[int], tolerance: int = 30) -> None:
        super().__init__()
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise ValueError(f"a key colour is [r, g, b] with values 0-255, got {color!r}")
        self._color = np.asarray(color, np.int16)
        self._tolerance = tolerance

    def _background(self, frame: Frame) -> Matte:
        return (np.abs(frame - self._color) <= self._tolerance).all(axis=-1)


class BlendScene(PixelScene):
    """Nothing is known: the distraction lies over the whole frame like a reflection.

    Args:
        weight: Share of the distraction in every pixel, in (0, 1).
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__()
        if not 0.0 < weight < 1.0:
            raise ValueError(f"a blend's weight must lie between 0 and 1, got {weight!r}")
        self._weight = weight

    def _background(self, frame: Frame) -> Matte:
        return np.full(frame.shape[:2], self._weight, np.float32)


def keyed_scene(foreground: MaskFunction | str | Mapping[str, Any], env: gym.Env) -> PixelScene:
    """Build the scene that a `foreground` argument describes (see `DistractionWrapper`).

    Raises:
        UnknownName: for a mapping other than `{"key": ...}` and `{"blend": ...}`, or a function
            that cannot be imported.
        TypeError: for arguments that the key or the blend does not take.
    """
    if foreground == "blend":
        return BlendScene()
    if isinstance(foreground, Mapping):
        match dict(foreground):
            case {"key": options, **rest} if not rest:
                return ColorKeyScene(**options)
            case {"blend": weight, **rest} if not rest:
                return BlendScene(weight)
        raise unknown("foreground", str(sorted(foreground)), ("key", "blend"))
    return MaskScene(foreground, env)


def _imported(name: str) -> MaskFunction:
    module, separator, function = name.partition(":")
    if not separator:
        raise UnknownName(
            f"unknown foreground {name!r}. Expected 'auto', 'blend', 'module:function', "
            "{'key': {'color': [r, g, b], 'tolerance': 30}}, {'blend': 0.5}, or a function."
        )
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UnknownName(f"foreground {name!r} cannot be imported: {error}") from error
