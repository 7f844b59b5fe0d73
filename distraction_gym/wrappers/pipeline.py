"""The distractions of one environment, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction
from distraction_gym.scene import Scene
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame


class Pipeline:
    """Runs a mode on the frames of one environment, with a random stream of its own.

    The scene belongs to whichever pipeline was attached last: that of a clean ID leaves it alone
    when another wrapper is put around.

    Attributes: `scene` (what is in the picture), `drawn` (what the episode drew, one JSON
    dictionary per distraction). A pickle leaves the scene behind: `attach` it again.
    """

    scene: Scene

    def __init__(self, distractions: Sequence[Distraction], scene: Scene) -> None:
        self.distractions = tuple(distractions)
        self.drawn: list[dict[str, Any]] = []
        self._kinds = [_kind(type(distraction)) for distraction in distractions]
        self._rng = stream(None, "distraction")
        self.attach(scene)

    def attach(self, scene: Scene) -> None:
        """Edit this scene from now on."""
        self.scene = scene
        scene.stagehand = self._stage

    def reset(self, seed: int | None) -> None:
        """Start an episode, before the environment does; without a seed the stream goes on."""
        if seed is not None:
            self._rng = stream(seed, "distraction")
        if self._leads():
            self.scene.restore()
        for distraction in self.distractions:
            distraction.reset(self._rng, self.scene)

    def begin(self, frame: Frame) -> tuple[Frame, Frame]:
        """Disturb an episode's first frame (see `disturb`), and remember what it drew."""
        frames = self.disturb(frame)
        self.drawn = [
            {"kind": kind, **distraction.describe()}
            for kind, distraction in zip(self._kinds, self.distractions, strict=True)
        ]
        return frames

    def disturb(self, frame: Frame) -> tuple[Frame, Frame]:
        """Return the scene's picture and the disturbed one, both `(H, W, 3)` uint8.

        Args:
            frame: What the environment has just drawn; not written to.
        """
        if self._leads():
            frame = self.scene.redraw(frame)
        undistorted = frame
        for distraction in self.distractions:
            frame = distraction.apply(frame, self.scene)
        return undistorted, frame

    @property
    def cover(self) -> npt.NDArray[np.bool_] | None:
        """Where distractions lie in front of the scene in the last frame, `(H, W)` bool."""
        covers = [each.cover for each in self.distractions if each.cover is not None]
        return np.logical_or.reduce(covers) if covers else None

    def _leads(self) -> bool:
        return self.scene.stagehand == self._stage

    def _stage(self) -> None:
        for distraction in self.distractions:
            distraction.stage(self.scene)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "scene"}


def pipeline_of(env: gym.Env) -> Pipeline | None:
    """Return the pipeline of the outermost wrapper that has one; None without distractions."""
    found = env.get_wrapper_attr("pipeline") if env.has_wrapper_attr("pipeline") else None
    return found if isinstance(found, Pipeline) else None


def _kind(cls: type) -> str:
    return next((name for name, known in DISTRACTIONS.items() if known is cls), cls.__name__)
