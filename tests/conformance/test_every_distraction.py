"""The conformance checks over the whole registry, and every pair of distractions."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest

from distraction_gym.cli import main
from distraction_gym.distractions import DISTRACTIONS
from distraction_gym.distractions.base import Distraction
from distraction_gym.testing import CHECKS, STAGES, check, composes
from distraction_gym.testing.checks import play

KINDS = sorted(DISTRACTIONS)
# One clip is enough: every other would be drawn first.
ITEMS = [
    {"kind": kind, "clips": 1} if "clips" in signature(cls).parameters else {"kind": kind}
    for kind, cls in sorted(DISTRACTIONS.items())
]
MODEL = pytest.param("mujoco", marks=pytest.mark.render)
STAGE_PARAMS = [MODEL if name == "mujoco" else name for name in STAGES]


@pytest.fixture(autouse=True)
def _mujoco(request):
    if request.node.get_closest_marker("render"):
        pytest.importorskip("mujoco")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("stage", STAGE_PARAMS)
@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_it_keeps_its_promises(item, stage, name):
    check(item, name, stage)


@pytest.mark.render
@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_it_does_something(item):
    frames = play([item], STAGES["mujoco"]).frames
    clean = play([], STAGES["mujoco"]).frames
    assert any((frame != other).any() for frame, other in zip(frames, clean, strict=True))


@pytest.mark.render
@pytest.mark.parametrize("first", ITEMS, ids=str)
def test_any_two_compose(first):
    assert composes(first, ITEMS, "mujoco") == KINDS


class Broken(Distraction):
    """Breaks whatever it can."""

    def __init__(self, fault, intensity=1.0):
        self.fault = fault

    @property
    def keeps_foreground(self):
        return True

    def reset(self, rng, scene):
        if self.fault == "paints":
            scene.recolor({"sky": ((1.0, 0.0, 0.0),)})
            scene.restore = lambda: None

    def apply(self, frame, scene):
        match self.fault:
            case "writes":
                frame[:] = 0
            case "float":
                return frame / 2
            case "shape":
                return frame[:, :-1]
            case "dice":
                return frame ^ np.random.default_rng().integers(
                    256, size=frame.shape, dtype="uint8"
                )
            case "inverts":
                return ~frame
        return frame

    def describe(self):
        return {"what": object()} if self.fault == "object" else {}


@pytest.fixture
def broken(monkeypatch):
    monkeypatch.setitem(DISTRACTIONS._items, "broken", Broken)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("writes", "returns_pictures"),
        ("float", "returns_pictures"),
        ("shape", "returns_pictures"),
        ("dice", "follows_its_seed"),
        ("inverts", "keeps_the_foreground"),
        ("inverts", "does_nothing_at_zero"),
        ("none", "refuses_other_intensities"),
        ("object", "survives_json"),
        ("paints", "restores_the_scene"),
    ],
)
def test_faults_are_found(broken, fault, name):
    with pytest.raises((AssertionError, ValueError, TypeError)):
        check({"kind": "broken", "fault": fault}, name, "mini")


def test_a_faulty_pair_is_named(broken):
    others = [{"kind": "noise"}, {"kind": "broken", "fault": "dice"}]
    with pytest.raises(AssertionError, match="of blur and then broken"):
        composes({"kind": "blur"}, others, "mini")


def test_the_command_prints_a_table_and_fails_with_a_fault(broken, capsys):
    assert main(["check", "color"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["kind", "mini", "mujoco", "pixels"],
        ["color", "ok", "ok", "unsupported"],
    ]
    assert main(["check", "broken"]) == 1
    assert "broken on mini" in capsys.readouterr().err
    assert main(["check", "colour"]) == 2
