"""DMC-GB2's rolls and offsets: their lists, their order, and how they turn the view."""

import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.distractions.geometry import Rotate, Shift, offsets, rolls


def turns(scene, *distractions):
    scene.calls.clear()
    scene.frame(*distractions)
    return [call[1] for call in scene.calls]


@pytest.mark.parametrize(("intensity", "limit", "spacing"), [(1.0, 180, 3.6), (0.5, 90, 1.8)])
def test_angles_are_100_evenly_spaced_and_leave_out_the_upper_end(intensity, limit, spacing, rng):
    rotate, scene, seen = Rotate(intensity), FakeScene(), []
    for _ in range(100):
        rotate.reset(rng, scene)
        seen.append(rotate.describe()["roll"])
    assert seen != sorted(seen)
    np.testing.assert_allclose(sorted(seen), np.arange(100) * spacing - limit, atol=1e-9)
    assert min(seen) == -limit and max(seen) < limit
    np.testing.assert_allclose(rolls(limit), sorted(seen))


def test_an_angle_holds_for_an_episode(rng):
    rotate, scene = Rotate(), FakeScene()
    rotate.reset(rng, scene)
    angle = rotate.describe()["roll"]
    for _ in range(3):
        assert turns(scene, rotate) == [{"roll": angle, "pan": 0.0, "tilt": 0.0}]
    rotate.reset(rng, scene)
    assert rotate.describe()["roll"] != angle


def test_offsets_go_25_by_25_along_a_rectangle():
    path = offsets((8, -8, 10, -10))
    assert path.shape == (100, 2)
    np.testing.assert_allclose(path[::25], [[-8, -10], [8, -10], [8, 10], [-8, 10]])
    np.testing.assert_allclose(np.diff(path[:25], axis=0), np.tile([0.64, 0.0], (24, 1)))
    np.testing.assert_allclose(path[-1] + [0, -0.8], path[0])  # and back to the start
    on_edge = (abs(path[:, 0]) == 8) | np.isclose(abs(path[:, 1]), 10)
    assert on_edge.all()


def test_limits_need_not_be_symmetric():
    path = offsets((6, -6, 12, -6))
    assert (path[:, 1].min(), path[:, 1].max()) == (-6, 12)
    assert (path[:, 0].min(), path[:, 0].max()) == (-6, 6)


def test_easy_shifts_divide_by_one_and_a_half(rng):
    easy, hard, scene = Shift(1 / 1.5), Shift(), FakeScene()
    easy.reset(np.random.default_rng(0), scene)
    hard.reset(np.random.default_rng(0), scene)
    for name, angle in hard.describe().items():
        assert easy.describe()[name] == pytest.approx(angle / 1.5)


def test_pan_turns_about_the_vertical_axis_and_tilt_about_the_horizontal_one(rng):
    shift, scene = Shift(limits=[5, 5, -3, -3]), FakeScene()
    shift.reset(rng, scene)
    assert turns(scene, shift) == [{"roll": 0.0, "pan": 5.0, "tilt": -3.0}]


def test_an_offset_has_four_limits():
    with pytest.raises(ValueError, match="largest and smallest pan"):
        Shift(limits=[10, -10])


def test_nothing_turns_at_intensity_0(rng):
    scene = FakeScene()
    for distraction in (Rotate(0.0), Shift(0.0)):
        distraction.reset(rng, scene)
        assert turns(scene, distraction) == []
