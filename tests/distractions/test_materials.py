"""Materials: the box around the stock colours, and the walk within it."""

import numpy as np
import pytest
from fakes import MATERIALS, FakeScene

from distraction_gym.assets.store import color_table
from distraction_gym.distractions.materials import Materials, Repaint
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


def test_a_repaint_gives_materials_one_colour_of_a_table_and_the_sky_another():
    table, seen = color_table("color_hard", "generated"), set()
    kind = Repaint(names=["self", "decoration"], fade={"floor": 0.25}, assets="generated")
    for seed in range(30):
        scene = FakeScene()
        kind.reset(np.random.default_rng(seed), scene)
        drawn = kind.describe()
        assert scene.tints["self"] == scene.tints["decoration"]
        assert scene.tints["self"] == table[drawn["materials"]]["self_rgb"]
        assert scene.colors["sky"] == (table[drawn["sky"]]["skybox_rgb"],)
        assert scene.tints["grid"] == MATERIALS["grid"] and scene.alphas == {"floor": 0.25}
        seen.add((drawn["materials"], drawn["sky"]))
    assert len({materials - sky for materials, sky in seen}) > 10, "drawn apart"


def test_half_a_repaint_goes_half_way():
    whole, half = FakeScene(), FakeScene()
    Repaint(assets="generated").reset(np.random.default_rng(3), whole)
    kind = Repaint(0.5, fade={"body": 0.0}, assets="generated")
    kind.reset(np.random.default_rng(3), half)
    np.testing.assert_allclose(colors(half), (colors(whole) + STOCK) / 2)
    assert half.alphas == {"body": 0.5}
    with pytest.raises(UnknownName, match=r"colour table.*'color_hrad'"):
        Repaint(table="color_hrad", assets="generated")
