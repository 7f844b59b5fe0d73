"""Recoloured textures, on arrays small enough to read."""

import numpy as np

from distraction_gym.scenes.textures import Checker, Gradient, fill

WHITE = (255, 255, 255)


def gradient(top):
    share = np.linspace(1, 0, 60)[:, None, None]
    wide = np.broadcast_to(share * np.array(top), (60, 40, 3))
    return np.array(wide, np.uint8, order="C")


def test_a_gradient_takes_its_new_top_colour_and_stays_black_below():
    stock = gradient((102, 153, 204))
    out = np.empty_like(stock)
    Gradient(stock).paint([(0.8, 0.2, 0.4)], out)
    wanted = gradient((204, 51, 102))
    assert np.abs(out.astype(int) - wanted).max() <= 1
    assert out[-1].max() <= 1


def test_random_marks_keep_their_colour():
    stock = gradient((102, 153, 204))
    stock[[5, 20, 40], [3, 30, 17]] = WHITE
    out = np.empty_like(stock)
    Gradient(stock).paint([(0.1, 0.1, 0.9)], out)
    assert (out[[5, 20, 40], [3, 30, 17]] == WHITE).all()
    assert (out == 255).all(axis=-1).sum() == 3


def checker(mark=None):
    light = (np.indices((20, 20)) // 10).sum(axis=0) % 2 == 1
    stock = np.where(light[..., None], (51, 76, 102), (25, 51, 76)).astype(np.uint8)
    if mark:
        stock[[0, -1]] = stock[:, [0, -1]] = mark
    return stock, light


def test_a_checker_takes_both_fields_and_keeps_its_edge_mark():
    # dm_control's mark has the colour of the light field: a rule by colour alone would move it.
    stock, light = checker(mark=(51, 76, 102))
    out = np.empty_like(stock)
    Checker(stock).paint([(0.0, 0.2, 0.0), (1.0, 0.0, 0.2)], out)
    inside = np.s_[1:-1, 1:-1]
    assert (out[inside][light[inside]] == (255, 0, 51)).all()
    assert (out[inside][~light[inside]] == (0, 51, 0)).all()
    np.testing.assert_array_equal(out[0], stock[0])
    np.testing.assert_array_equal(out[:, -1], stock[:, -1])


def test_a_checker_without_a_mark_is_painted_to_its_edge():
    stock, light = checker()
    out = np.empty_like(stock)
    Checker(stock).paint([(0.0, 0.2, 0.0), (1.0, 0.0, 0.2)], out)
    assert (out[light] == (255, 0, 51)).all() and (out[~light] == (0, 51, 0)).all()


def test_fill_covers_marks_and_edges():
    stock, _ = checker(mark=WHITE)
    fill((0.2, 0.8, 0.2), stock)
    assert (stock == (51, 204, 51)).all()
