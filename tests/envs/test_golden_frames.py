"""A guard on truth: what every ID shows, against a picture that was looked at.

A golden picture is the mean colour of 12 x 12 blocks, of the newest frame after two steps under
one seed, with generated footage. A change of more than one grey level is a visible one: it raises
the version of the ID. After it was looked at (`make gallery`):  make golden

Every ID has one, but for suites that draw too slowly for that (`SAMPLED`), or drive a machine.
"""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.errors import MissingExtra
from distraction_gym.registration import NAMESPACE, SUITES, parse_id

FOLDER = Path(__file__).parent / "golden"
BLOCKS, SEED, STEPS, TOLERANCE = 12, 11, 2, 1
IDS = sorted(
    name
    for name in gym.registry
    if name.startswith(f"{NAMESPACE}/") and not SUITES[parse_id(name).suite].hardware
)
OWN = "drawn without a renderer"
SAMPLED = {"metaworld": 10, "sd": 2}
"""Suites in which one task in so many is looked at, under one mode: a tenth of a second a frame."""


def is_guarded(name: str) -> bool:
    """Return whether an ID has a golden picture: all, or every mode of the first task and a few."""
    suite, task, mode, _ = parse_id(name)
    place = SUITES[suite].tasks.index(task)
    turn, rest = divmod(place, SAMPLED.get(suite, 1))
    modes = SUITES[suite].modes
    return suite not in SAMPLED or place == 0 or (rest == 0 and mode == modes[turn % len(modes)])


def params() -> list[object]:
    return [
        pytest.param(
            name,
            id=name.split("/")[1],
            marks=[pytest.mark.render] if SUITES[parse_id(name).suite].extra else [],
        )
        for name in IDS
        if is_guarded(name)
    ]


def thumbnail(name: str) -> np.ndarray:
    """Return what an ID shows, `(12, 12, 3)` uint8."""
    try:
        env = gym.make(name, assets="generated", disable_env_checker=True)
    except MissingExtra as missing:
        pytest.skip(str(missing))
    try:
        obs, _ = env.reset(seed=SEED)
        for _ in range(STEPS):
            obs, *_ = env.step(np.full(env.action_space.shape, 0.5, np.float32))
    finally:
        env.close()
    side = obs.shape[1] // BLOCKS
    newest = obs[-3:, : side * BLOCKS, : side * BLOCKS]
    blocks = newest.reshape(3, BLOCKS, side, BLOCKS, side).mean(axis=(2, 4))
    return np.round(blocks.transpose(1, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="module")
def renderer() -> str:
    """The name of what draws: pictures of another renderer are not compared."""
    pytest.importorskip("mujoco")
    from distraction_gym.cli.probe import renderer_name

    return renderer_name()


def load(suite: str) -> dict[str, np.ndarray]:
    path = FOLDER / f"{suite}.npz"
    return dict(np.load(path)) if path.exists() else {}


@pytest.mark.parametrize("name", params())
def test_it_shows_what_it_showed(name, request):
    suite = parse_id(name).suite
    drawn_by = request.getfixturevalue("renderer") if SUITES[suite].extra else OWN
    key, golden = name.split("/")[1], load(suite)
    if request.config.getoption("--update-golden"):
        FOLDER.mkdir(exist_ok=True)
        golden.update({key: thumbnail(name), "renderer": np.array(drawn_by)})
        np.savez_compressed(FOLDER / f"{suite}.npz", **golden)
        return
    assert key in golden, "no golden picture yet: look at it (make gallery), then  make golden"
    if str(golden["renderer"]) != drawn_by:
        pytest.skip(f"golden pictures are by {golden['renderer']}, this machine has {drawn_by}")
    shown = thumbnail(name)
    worst = np.abs(shown.astype(int) - golden[key]).max()
    assert worst <= TOLERANCE, f"blocks differ by up to {worst} grey levels"


def test_no_golden_picture_is_left_over():
    known = {name.split("/")[1] for name in IDS}
    assert not {key for suite in SUITES for key in load(suite)} - known - {"renderer"}
