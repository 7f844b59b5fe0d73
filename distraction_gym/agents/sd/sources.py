"""Where masks come from: the simulator, by way of `info`, or a segmenter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.segmentation import (
    SEGMENTERS,
    Frames,
    Masks,
    Segmenter,
    Segments,
    make_segmenter,
)

Given = str | Mapping[str, Any]
"""A segmenter's name, or `{"name": ..., **arguments}`."""
Info = Mapping[str, Any]


def truth(info: Info, shape: Sequence[int]) -> Masks:
    """Return the oracle's mask `(H, W)` that an environment tells of its newest picture.

    Raises:
        UnsupportedEnvironment: if it tells none, or one of another size than the picture's.
    """
    mask = info.get("foreground")
    if mask is None:
        raise UnsupportedEnvironment(
            "the oracle's masks are info['foreground'] of every picture, resets included, and an "
            "environment does not tell it. Wrap each:  make_vec_env(env_id, "
            "wrapper_class=AddForegroundMask)   or take a segmenter, such as masks='learned'"
        )
    if np.shape(mask) != tuple(shape):
        raise UnsupportedEnvironment(
            f"info['foreground'] is {np.shape(mask)} and the picture {tuple(shape)}: put "
            "AddForegroundMask around what resizes the pictures"
        )
    return np.asarray(mask, np.bool_)


def is_oracle(given: Given) -> bool:
    """Return whether masks are the oracle's as they are."""
    return _name(given) == "oracle"


def check_names(given: Given) -> None:
    """Check that every segmenter that is named exists.

    Raises:
        UnknownName: for one that does not.
        ValueError: for a mapping without `"name"`, or arguments for the oracle.
    """
    name = _name(given)
    SEGMENTERS[name]
    if isinstance(given, str):
        return
    if name == "oracle" and len(given) > 1:
        raise ValueError(
            f"the oracle's masks come from the environment, got {dict(given)!r}: say what matters "
            "there,  AddForegroundMask(env, objects=[...])"
        )
    if "segmenter" in given:
        check_names(given["segmenter"])


def _name(given: Given) -> str:
    if isinstance(given, str):
        return given
    if "name" not in given:
        raise ValueError(f"masks is a name or {{'name': 'learned', ...}}, got {dict(given)!r}")
    return str(given["name"])


class Told(Segmenter):
    """The oracle as an environment's `info` tells it, for frames given one at a time."""

    is_stateless = False

    def __init__(self) -> None:
        super().__init__(k=1)
        self.info: Info = {}

    def segment(self, frames: Frames) -> Segments:
        """Return the mask of the one frame `(1, H, W, 3)` that `info` belongs to."""
        mask = truth(self.info, frames.shape[1:3])
        return Segments(mask[None, None], np.ones((1, 1), np.float32))


class MaskSource:
    """Makes the mask of each picture as it is collected.

    A segmenter that judges each frame for itself gets all environments' frames at once. Of one that
    follows its video, or is told by its environment, there is one for each environment.

    Args:
        given: The segmenter. `"oracle"`, also as the segmenter within another, is what the
            environments tell: `{"name": "degraded", "segmenter": "oracle", "recall": 0.7}`.
        n_envs: Environments that step together.
    """

    def __init__(self, given: Given, n_envs: int) -> None:
        self._told = [Told() for _ in range(n_envs)]
        self._segmenters = [_build(given, self._told[0])]
        if not self._segmenters[0].is_stateless:
            self._segmenters += [_build(given, told) for told in self._told[1:]]
        for segmenter in self._segmenters:  # a run that is resumed may be in mid-episode
            segmenter.reset()

    def masks(
        self, frames: Frames, infos: Sequence[Info], envs: Sequence[int], begin: bool
    ) -> Masks:
        """Return masks `(n, H, W)`.

        Args:
            frames: `(n, H, W, 3)`, the newest of these environments.
            infos: What came with those very frames.
            envs: Which environments.
            begin: Whether they begin episodes.

        Raises:
            UnsupportedEnvironment: if the oracle is asked, and an environment does not tell.
        """
        if self._segmenters[0].is_stateless:
            return self._segmenters[0].foreground(frames)
        found = []
        for frame, info, env in zip(frames, infos, envs, strict=True):
            self._told[env].info = info
            if begin:
                self._segmenters[env].reset()
            found.append(self._segmenters[env].foreground(frame[None])[0])
        return np.stack(found)


def _build(given: Given, told: Told) -> Segmenter:
    name = _name(given)
    if name == "oracle":
        return told
    arguments = {} if isinstance(given, str) else dict(given)
    if "segmenter" in arguments:
        arguments["segmenter"] = _build(arguments["segmenter"], told)
    return make_segmenter(**{**arguments, "name": name})
