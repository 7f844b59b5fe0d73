"""The checks, and the few steps that they look at."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions import build
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import Registry
from distraction_gym.testing.stages import STAGES, Stage
from distraction_gym.typing import Frame
from distraction_gym.wrappers import DistractionWrapper

Item = Mapping[str, Any]
"""One entry of a mode: `{"kind": name, **arguments}`."""
STEPS = 4


class Episode(NamedTuple):
    """What a few steps under a mode showed."""

    frames: list[Frame]
    clean: list[Frame]
    """The same frames before the distractions that act on pixels."""
    foreground: list[npt.NDArray[np.bool_]]
    rewards: list[float]


CHECKS: Registry[Callable[[Item, Stage], None]] = Registry("check")


def check(item: Item, name: str, stage: str) -> bool:
    """Run one check of a distraction on one stage.

    Args:
        item: `{"kind": name, **arguments}`, as in a mode.
        name: A name in `CHECKS`.
        stage: A name in `STAGES`.

    Returns:
        False if the stage's scene refuses the distraction by `UnsupportedEnvironment`: that is in
        order, as long as some stage does not.

    Raises:
        AssertionError: saying what is wrong.
    """
    try:
        CHECKS[name](item, STAGES[stage])
    except UnsupportedEnvironment:
        return False
    return True


# Checks ------------------------------------------------------------------------------------------


def _check(function: Callable[[Item, Stage], None]) -> Callable[[Item, Stage], None]:
    return CHECKS.add(function.__name__, function)


@_check
def returns_pictures(item: Item, stage: Stage) -> None:
    """Frames keep their shape and dtype; the environment's own are never written to."""
    frames = play([item], stage).frames
    for frame, clean in zip(frames, _clean(stage).frames, strict=True):
        assert frame.dtype == np.uint8, f"expected uint8 frames, got {frame.dtype}"
        assert frame.shape == clean.shape, f"expected shape {clean.shape}, got {frame.shape}"


@_check
def survives_json(item: Item, stage: Stage) -> None:
    """Arguments and descriptions are JSON types, and come back as the same distraction."""
    again = json.loads(json.dumps(item))
    with _wrapped([item], stage) as env:
        _, info = env.reset(seed=0)
        json.dumps(info["distraction"])
    _same(play([item], stage).frames, play([again], stage).frames, "after a trip through JSON")


@_check
def follows_its_seed(item: Item, stage: Stage) -> None:
    """A seed gives the same frames in a new environment, and again in the same one."""
    first = play([item], stage).frames
    _same(first, play([item], stage).frames, "under the same seed")
    with _wrapped([item], stage) as env:
        _episode(env, stage, seed=1)
        _same(first, _episode(env, stage).frames, "after an episode under another seed")


@_check
def leaves_physics_alone(item: Item, stage: Stage) -> None:
    """Rewards, which tell the stages' states, equal those of the clean environment."""
    disturbed, clean = play([item], stage).rewards, _clean(stage).rewards
    assert disturbed == clean, f"rewards became {disturbed}, expected {clean}"


@_check
def restores_the_scene(item: Item, stage: Stage) -> None:
    """After an episode, `Scene.restore` brings the stock scene back."""
    env = stage.make()
    try:
        disturbed = _wrap(env, [item], stage)
        _episode(disturbed, stage)
        disturbed.scene.stagehand = None  # taken off
        disturbed.scene.restore()
        bare = _wrap(env, [], stage)
        _same(_episode(bare, stage).frames, _clean(stage).frames, "once it was taken off")
    finally:
        env.close()


@_check
def does_nothing_at_zero(item: Item, stage: Stage) -> None:
    """With intensity 0 the picture stays as it is."""
    zero = play([{**item, "intensity": 0.0}], stage).frames
    _same(zero, _clean(stage).frames, "at intensity 0")


@_check
def refuses_other_intensities(item: Item, stage: Stage) -> None:
    """An intensity outside [0, 1] is a ValueError that says so."""
    for value in (-0.1, 1.5):
        try:
            build([{**item, "intensity": value}], assets="generated")
        except ValueError as error:
            assert "0 and 1" in str(error), f"the error does not name the bounds: {error}"
        else:
            raise AssertionError(f"intensity={value} was accepted")


@_check
def keeps_the_foreground(item: Item, stage: Stage) -> None:
    """Where it promises so, the foreground's pixels are untouched."""
    if not build([dict(item)], assets="generated")[0].keeps_foreground:
        return
    episode = play([item], stage)
    for frame, clean, keep in zip(episode.frames, episode.clean, episode.foreground, strict=True):
        assert np.array_equal(frame[keep], clean[keep]), "pixels of the foreground changed"


@_check
def survives_pickling(item: Item, stage: Stage) -> None:
    """A copy made in the middle of an episode goes on with the same frames."""
    with _wrapped([item], stage) as env:
        _episode(env, stage)
        copy = pickle.loads(pickle.dumps(env))
        action = np.ones(env.action_space.shape or (), np.float32)
        try:
            _same([env.step(action)[0]], [copy.step(action)[0]], "in a copy made by pickle")
        finally:
            copy.close()


def composes(first: Item, others: Iterable[Item], stage: str) -> list[str]:
    """Check that others work on top of a distraction, one at a time, under a seed.

    All of them share an environment of the stage: nothing may be left of the one before.

    Returns:
        The others' kinds, without those that the stage's scene refuses.

    Raises:
        AssertionError: if a pair fails, or its frames differ from run to run.
    """
    env, fine = STAGES[stage].make(), []
    try:
        for second in others:
            pair = f"of {first['kind']} and then {second['kind']}"
            try:
                disturbed = _wrap(env, [first, second], STAGES[stage])
                frames, again = (_episode(disturbed, STAGES[stage], steps=2).frames for _ in "12")
            except UnsupportedEnvironment:
                continue
            except Exception as error:
                raise AssertionError(f"the frames {pair} cannot be drawn: {error!r}") from error
            _same(frames, again, f"{pair} under the same seed")
            fine.append(second["kind"])
    finally:
        env.close()
    return fine


# Episodes ----------------------------------------------------------------------------------------


def play(mode: list[Item], stage: Stage, *, seed: int = 0, steps: int = STEPS) -> Episode:
    """Play a few steps of a new environment under a mode, with generated footage."""
    with _wrapped(mode, stage) as env:
        return _episode(env, stage, seed, steps)


@functools.cache
def _clean(stage: Stage) -> Episode:
    """Play without distractions, once per process: renderers take their time to start."""
    return play([], stage)


@contextmanager
def _wrapped(mode: list[Item], stage: Stage) -> Iterator[DistractionWrapper]:
    env = _wrap(stage.make(), mode, stage)
    try:
        yield env
    finally:
        env.close()


def _wrap(env: gym.Env, mode: list[Item], stage: Stage) -> DistractionWrapper:
    items = [dict(item) for item in mode]
    return DistractionWrapper(env, items, foreground=stage.foreground, assets="generated")


def _episode(env: DistractionWrapper, stage: Stage, seed: int = 0, steps: int = STEPS) -> Episode:
    episode = Episode([], [], [], [])
    reward = 0.0
    for step in range(steps + 1):
        if step == 0:
            frame, _ = env.reset(seed=seed)
        else:
            action = np.full(env.action_space.shape or (), (-1.0) ** step, np.float32)
            frame, reward, *_ = env.step(action)
        episode.frames.append(frame.copy())
        episode.clean.append(env.undistorted.copy())
        episode.foreground.append(env.scene.foreground(env.undistorted) == 1)
        episode.rewards.append(float(reward))
    return episode


def _same(frames: list[Frame], others: list[Frame], when: str) -> None:
    for step, (frame, other) in enumerate(zip(frames, others, strict=True)):
        assert frame.shape == other.shape, f"frames {when} have another shape, {other.shape}"
        worst = int(np.abs(frame.astype(int) - other).max(initial=0))
        assert worst == 0, f"frames {when} differ by up to {worst} grey levels (step {step})"
