"""Masks from the simulator itself: what a perfect segmenter would see."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scene import Scene
from distraction_gym.scenes import told_scene
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill
from distraction_gym.typing import Frame, Matte


class OracleSegmenter(Segmenter):
    """Masks of the bound environment's newest frame, from its scene: largest first, all of score 1.

    It knows the frame that the environment has just returned and no other, so that it takes a batch
    of one. What a distraction hides is in no mask. `foreground` is what matters in the task.

    Args:
        k: Most masks per frame.
        objects: A mask for each of these: names as `Scene.foreground` takes them, such as
            `"body:torso"`, `"site:target"` or `"floor"`. None is every thing in the picture but sky
            and floor; in MuJoCo the geoms of one body are one thing.
    """

    is_stateless = False
    needs_env = True

    def __init__(self, k: int = 8, objects: Sequence[str] | None = None) -> None:
        super().__init__(k)
        self._objects = objects
        self._env: gym.Env | None = None

    def bind(self, env: gym.Env) -> None:
        """Take the masks from this environment: its own scene, or that of a wrapper in it.

        Raises:
            UnsupportedEnvironment: if no scene is known.
        """
        if told_scene(env) is None:
            raise UnsupportedEnvironment(
                f"no simulator tells what the pictures of {env.unwrapped} show. For MuJoCo wrap it "
                "in ObserveScene(env) first; for other pictures take another segmenter, such as "
                "'superpixel'."
            )
        self._env = env

    def segment(self, frames: Frames) -> Segments:
        """Return the masks of the newest frame, given as a batch of one.

        Raises:
            UnknownName: for an object that the scene does not have.
            ValueError: for another batch, or before `bind`.
        """
        scene, frame, visible = self._look(frames)
        masks = np.array([mask & visible for mask in self._masks(scene, frame)])
        masks = masks.reshape(-1, *frame.shape[:2])
        areas = masks.sum(axis=(1, 2))
        order = [index for index in np.argsort(-areas, kind="stable") if areas[index]]
        return fill([masks[order]], [np.ones(len(order), np.float32)], self.k)

    def foreground(self, frames: Frames) -> Masks:
        """Return what matters in the newest frame `(1, H, W)`, whatever `objects` says.

        Raises:
            ValueError: as in `segment`.
        """
        scene, frame, visible = self._look(frames)
        return (_hard(scene.foreground(frame)) & visible)[None]

    def _look(self, frames: Frames) -> tuple[Scene, Frame, Masks]:
        """Return the scene, its picture before distractions, and where none of them is in front."""
        if self._env is None:
            raise ValueError("the oracle knows no environment yet: call bind(env) first")
        if len(frames) != 1:
            raise ValueError(
                f"the oracle knows the newest frame only, and got {len(frames)}: segment each "
                "frame when the environment returns it"
            )
        scene = told_scene(self._env)
        assert scene is not None
        frame, cover = (self._of_wrapper(name) for name in ("undistorted", "cover"))
        frame = frames[0] if frame is None else frame
        visible = np.ones(frame.shape[:2], np.bool_) if cover is None else ~cover
        return scene, frame, visible

    def _of_wrapper(self, name: str) -> npt.NDArray | None:
        """Return what the `DistractionWrapper` in the environment knows; None without one."""
        assert self._env is not None
        return self._env.get_wrapper_attr(name) if self._env.has_wrapper_attr(name) else None

    def _masks(self, scene: Scene, frame: Frame) -> list[Masks]:
        if self._objects is not None:
            return [_hard(scene.foreground(frame, [name])) for name in self._objects]
        ids, names = scene.segments(frame)
        parts = [part for part in ("sky", "floor") if part in scene.parts]
        things = ~_hard(scene.background(parts, frame))
        owners = [scene.owner(name) for name in names]
        groups = list(dict.fromkeys(owners))  # in order: equal areas are always in one order
        shown = np.array([groups.index(owner) for owner in owners])[ids]
        return [(shown == group) & things for group in range(len(groups))]


def _hard(matte: Matte) -> Masks:
    return np.asarray(matte if matte.dtype == np.bool_ else matte >= 0.5, np.bool_)
