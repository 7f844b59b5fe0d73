import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.assets.store import color_table
from distraction_gym.distractions.color import Color
from distraction_gym.registry import UnknownName
from distraction_gym.seeding import stream


@pytest.mark.parametrize("table", ["color_easy", "color_hard"])
def test_each_reset_wears_one_entry_of_the_table(table):
    color, scene = Color(table, assets="generated"), FakeScene()
    rng, entries = stream(0, "distraction"), color_table(table, "generated")
    seen = set()
    for _ in range(60):
        color.reset(rng, scene)
        index = color.describe()["index"]
        entry = entries[index]
        assert scene.calls[-1] == (
            "recolor",
            {
                "floor": (entry["grid_rgb1"], entry["grid_rgb2"]),
                "sky": (entry["skybox_rgb"],),
                "body": (entry["self_rgb"],),
            },
        )
        seen.add(index)
    assert len(seen) > 30, "the index is drawn anew at each reset"
    assert seen <= set(range(100))


def test_it_touches_no_pixel_itself():
    color, scene = Color(assets="generated"), FakeScene()
    color.reset(stream(0, "distraction"), scene)
    frame = scene.draw()
    np.testing.assert_array_equal(color.apply(frame, scene), frame)


def test_shifted_materials_move_by_as_much_as_the_body_differs():
    color, scene = Color(assets="generated", shift=["decoration"]), FakeScene()
    color.reset(stream(0, "distraction"), scene)
    entry = color_table("color_hard", "generated")[color.describe()["index"]]
    moved = np.add((0.2, 0.05, 0.8), np.subtract(entry["self_rgb"], (0.7, 0.5, 0.3)))
    assert scene.tints["decoration"] == pytest.approx(np.clip(moved, 0, 1).tolist())
    assert scene.tints["self"] == (0.7, 0.5, 0.3)
    assert scene.colors["body"] == ((0.7, 0.5, 0.3),) and scene.colors["sky"] != ((0.4, 0.6, 0.8),)
    with pytest.raises(UnknownName, match="decoration"):
        Color(assets="generated", shift=["decorations"]).reset(stream(0, "distraction"), scene)
