"""Solids: in front of the robot or beside it, and along with the camera."""

import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.distractions.solids import Solids
from distraction_gym.errors import UnknownName


def placed(kind, frames=1, scene=None, seed=0):
    scene = scene or FakeScene()
    kind.reset(np.random.default_rng(seed), scene)
    for _ in range(frames):
        scene.frame(kind)
    return scene.solids


@pytest.mark.parametrize(
    ("layer", "nearest", "farthest"), [("front", 0.45, 0.75), ("beside", 1.05, 1.5)]
)
def test_layers_are_depths_before_the_camera(layer, nearest, farthest):
    for seed in range(10):
        depth = np.array([s.position[1] + 4 for s in placed(Solids(layer=layer), 5, seed=seed)]) / 4
        assert (depth >= nearest - 1e-9).all() and (depth <= farthest + 1e-9).all()


def test_they_move_slowly_and_keep_shape_and_size():
    scene, kind = FakeScene(), Solids(speed=0.02)
    first = placed(kind, 1, scene)
    scene.frame(kind)
    for before, after in zip(first, scene.solids, strict=True):
        step = np.linalg.norm(np.subtract(after.position, before.position))
        assert 0 < step <= 0.02 * 1.5 * 4
        assert (before.shape, before.size, before.color) == (after.shape, after.size, after.color)


def test_they_go_along_with_the_robot_and_do_not_grow():
    scene, kind = FakeScene(), Solids(speed=0.0)
    first = placed(kind, 1, scene)
    step = np.array([2.0, 0.0, 1.0])
    scene.middle = scene.middle + step
    scene.frame(kind)
    for before, after in zip(first, scene.solids, strict=True):
        np.testing.assert_allclose(np.subtract(after.position, before.position), step)
        assert before.size == after.size


@pytest.mark.parametrize(("intensity", "count"), [(0.0, 0), (0.1, 1), (0.5, 3), (1.0, 6)])
def test_intensity_is_the_share_that_is_there(intensity, count):
    assert len(placed(Solids(intensity))) == count


def test_rotations_are_rotations():
    for solid in placed(Solids(count=20)):
        rotation = np.reshape(solid.rotation, (3, 3))
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_it_sets_no_cover_by_hand_and_refuses_unknown_layers():
    kind = Solids()
    placed(kind)
    assert kind.cover is None and not kind.keeps_foreground
    with pytest.raises(UnknownName, match="layer"):
        Solids(layer="behind")
    with pytest.raises(ValueError, match="count must be at least 1"):
        Solids(count=0)
