"""Recoloured textures, on arrays small enough to read."""

import numpy as np
import pytest

from distraction_gym.scenes.textures import Checker, Gradient, flat

WHITE = (255, 255, 255)


def gradient(top):
    share = np.linspace(1, 0, 60)[:, None, None]
    wide = np.broadcast_to(share * np.array(top), (60, 40, 3))
    return np.array(wide, np.uint8, order="C")


def test_a_gradient_takes_its_new_top_colour_and_stays_black_below():
    stock = gradient((102, 153, 204))
    out = Gradient(stock).paint([(0.8, 0.2, 0.4)])
    wanted = gradient((204, 51, 102))
    assert np.abs(out.astype(int) - wanted).max() <= 1
    assert out[-1].max() <= 1


def test_random_marks_keep_their_colour():
    stock = gradient((102, 153, 204))
    stock[[5, 20, 40], [3, 30, 17]] = WHITE
    out = Gradient(stock).paint([(0.1, 0.1, 0.9)])
    assert (out[[5, 20, 40], [3, 30, 17]] == WHITE).all()
    assert (out == 255).all(axis=-1).sum() == 3


def checker(mark=None):
    light = (np.indices((20, 20)) // 10).sum(axis=0) % 2 == 1
    stock = np.where(light[..., None], (51, 76, 102), (25, 51, 76)).astype(np.uint8)
    if mark:
        stock[[0, -1]] = stock[:, [0, -1]] = mark
    return stock, light


# dm_control's mark has the colour of the light field: a rule by colour alone would move it.
# Menagerie's is brighter than both.
@pytest.mark.parametrize("mark", [(51, 76, 102), (204, 204, 204)])
def test_a_checker_takes_both_fields_and_keeps_its_edge_mark(mark):
    stock, light = checker(mark)
    out = Checker(stock).paint([(0.0, 0.2, 0.0), (1.0, 0.0, 0.2)])
    inside = np.s_[1:-1, 1:-1]
    assert (out[inside][light[inside]] == (255, 0, 51)).all()
    assert (out[inside][~light[inside]] == (0, 51, 0)).all()
    np.testing.assert_array_equal(out[0], stock[0])
    np.testing.assert_array_equal(out[:, -1], stock[:, -1])


def test_a_checker_without_a_mark_is_painted_to_its_edge():
    stock, light = checker()
    out = Checker(stock).paint([(0.0, 0.2, 0.0), (1.0, 0.0, 0.2)])
    assert (out[light] == (255, 0, 51)).all() and (out[~light] == (0, 51, 0)).all()


def test_a_smaller_gradient_is_the_mean_of_the_large_one():
    stock = gradient((102, 153, 204))
    stock[[5, 20, 21], [3, 30, 31]] = WHITE
    large = Gradient(stock).paint([(0.2, 0.9, 0.1)]).astype(float)
    small = Gradient(stock, 2).paint([(0.2, 0.9, 0.1)])
    assert small.shape == (30, 20, 3)
    means = large.reshape(30, 2, 20, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 2
    assert np.abs(small - means).mean() < 0.6


def test_a_flat_texture_has_one_colour():
    assert (flat((0.2, 0.8, 0.2)) == (51, 204, 51)).all()
