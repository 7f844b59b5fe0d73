from fractions import Fraction

import numpy as np
import pytest

from distraction_gym.distractions.chroma import chroma_key


def _hsv(red, green, blue, number):
    """Hexcone HSV of one pixel: degrees, 0-255, 0-255; grey has hue and saturation 0."""
    red, green, blue = (number(channel) / 255 for channel in (red, green, blue))
    most, least = max(red, green, blue), min(red, green, blue)
    if most == least:
        return 0, 0, most * 255
    off_red, off_green, off_blue = ((most - c) / (most - least) for c in (red, green, blue))
    if red == most:
        hue = off_blue - off_green
    elif green == most:
        hue = 2 + off_red - off_blue
    else:
        hue = 4 + off_green - off_red
    return (hue / 6) % 1 * 360, (most - least) / most * 255, most * 255


def _slow_key(frame, number=Fraction):
    """The rule as the papers' loop applies it, one pixel at a time."""
    mask = np.zeros(frame.shape[:2], bool)
    for place in np.ndindex(mask.shape):
        h, s, v = _hsv(*frame[place].tolist(), number)
        mask[place] = 100 <= h <= 185 and 80 <= s <= 255 and 70 <= v <= 255
    return mask


def _pictures():
    rng = np.random.default_rng(3)
    yield "noise", rng.integers(0, 256, (60, 50, 3), np.uint8)
    near = np.array([51, 204, 51]) + rng.integers(-90, 91, (60, 50, 3))
    yield "near green", np.clip(near, 0, 255).astype(np.uint8)
    yield "dark", rng.integers(0, 90, (60, 50, 3), np.uint8)
    yield "grey", np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    # Colours right on a bound: hue 100 and 185, saturation 80, value 70, and beside them.
    bounds = [(24, 70, 1), (24, 72, 0), (10, 65, 70), (20, 130, 140), (175, 255, 255), (35, 51, 35)]
    near = [np.add(color, (0, 0, d)) for color in bounds for d in (-1, 0, 1)]
    yield "bounds", np.clip(near, 0, 255).astype(np.uint8)[None]


@pytest.mark.parametrize(("name", "frame"), list(_pictures()), ids=lambda value: str(value)[:10])
def test_equals_the_rule_pixel_by_pixel(name, frame):
    np.testing.assert_array_equal(chroma_key(frame), _slow_key(frame), err_msg=name)


def test_rounding_in_the_papers_loop_only_matters_right_on_a_bound():
    # In floating point, hue 185 comes out as 185.00000000000003 for some colours.
    for name, frame in _pictures():
        differ = chroma_key(frame) != _slow_key(frame, float)
        for color in frame[differ].tolist():
            h, s, v = _hsv(*color, Fraction)
            assert h in (100, 185) or s == 80 or v == 70, (name, color)


@pytest.mark.parametrize(
    ("color", "keyed"),
    [
        ((51, 204, 51), True),  # the screen
        ((40, 160, 40), True),  # in shadow
        ((0, 200, 200), True),  # teal, hue 180: the window is wide
        ((0, 255, 0), True),
        ((0, 69, 0), False),  # too dark
        ((0, 70, 0), True),
        ((180, 255, 180), False),  # too pale
        ((102, 153, 204), False),  # the stock sky
        ((178, 128, 76), False),  # the stock robot
        ((128, 128, 128), False),
        ((0, 0, 0), False),
    ],
)
def test_known_colours(color, keyed):
    assert chroma_key(np.array([[color]], np.uint8))[0, 0] == keyed
