"""Materials: the box around the stock colours, and the walk within it."""

import numpy as np
import pytest
from fakes import MATERIALS, FakeScene

from distraction_gym.distractions.materials import Materials
from distraction_gym.errors import UnknownName


def colors(scene):
    return np.array(list(scene.materials().values()))


STOCK = np.array(list(MATERIALS.values()))


@pytest.mark.parametrize("beta", [0.1, 0.3, 1.0])
def test_colours_stay_in_a_box_around_the_stock_and_within_the_unit_cube(beta):
    seen = []
    for seed in range(60):
        scene, kind = FakeScene(), Materials(beta, dynamic=True, moves_per_step=8)
        kind.reset(np.random.default_rng(seed), scene)
        for _ in range(4):
            scene.frame(kind)
            seen.append(colors(scene))
    low, high = np.clip(STOCK - beta, 0, 1), np.clip(STOCK + beta, 0, 1)
    seen = np.array(seen)
    assert (seen >= low).all() and (seen <= high).all()
    assert (np.ptp(seen, axis=0) > 0.7 * (high - low)).all()


def test_static_colours_hold_for_an_episode(rng):
    scene, kind = FakeScene(), Materials()
    kind.reset(rng, scene)
    first = colors(scene)
    scene.frame(kind)
    np.testing.assert_array_equal(colors(scene), first)
    scene.restore()
    kind.reset(rng, scene)
    assert (colors(scene) != first).any()


def test_a_move_has_a_deviation_of_a_33rd_of_beta(rng):
    scene, kind = FakeScene(), Materials(0.5, names=["self"], dynamic=True)
    moves = []
    for _ in range(300):
        scene.restore()
        kind.reset(rng, scene)
        scene.frame(kind)  # the first frame shows the drawn colours
        before = colors(scene)[1]
        scene.frame(kind)
        moves.append(colors(scene)[1] - before)
    assert np.std(moves) == pytest.approx(0.03 * 0.5, rel=0.1)


def test_only_named_materials_change(rng):
    scene = FakeScene()
    Materials(0.3, names=["self"]).reset(rng, scene)
    assert scene.materials()["grid"] == MATERIALS["grid"]
    assert scene.materials()["self"] != MATERIALS["self"]


def test_unknown_materials_are_told_with_what_exists(rng):
    with pytest.raises(UnknownName, match=r"material 'xyz'.*decoration, grid, self"):
        Materials(names=["xyz"]).reset(rng, FakeScene())


def test_nothing_changes_at_intensity_0(rng):
    scene, kind = FakeScene(), Materials(0.0, dynamic=True)
    kind.reset(rng, scene)
    scene.frame(kind)
    assert scene.materials() == MATERIALS
