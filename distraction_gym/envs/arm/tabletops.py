"""What table tops are made of, drawn here: chipboard, carpet, concrete, wood, sponge.

They stand in for the photographs of SMG's tests. Each is one picture: the same at every call.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.noise import Noise
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame

Colors = npt.NDArray[np.float32]
"""`(S, S, 3)` float32, RGB, 0-255."""
Points = npt.NDArray[np.float64]
"""`(..., 2)`: x and y, as shares of the side."""

_BITS = 4  # sub-pixel bits of OpenCV's drawing functions


def white(side: int) -> Frame:
    """Return plain white."""
    return np.full((side, side, 3), 255, np.uint8)


def chipboard(side: int) -> Frame:
    """Return flakes of wood pressed at all angles."""
    rng = stream(0, "tabletop/chipboard")
    board = _plain(side, (168, 136, 102))
    for _ in range(170):
        outline = _flake(rng)
        shade = rng.normal(0, 22) + rng.normal(0, 2.5, 3)
        color = np.clip(np.array([196, 165, 130]) + shade, 60, 240)
        points = _pixels(outline, side)
        cv2.fillConvexPoly(board, points, color.tolist(), cv2.LINE_AA, _BITS)
        cv2.polylines(board, [points], True, (0.78 * color).tolist(), 1, cv2.LINE_AA, _BITS)
    return _bytes(board + 9 * rng.standard_normal((side, side, 1)))


def carpet(side: int) -> Frame:
    """Return black cloth in small loops."""
    rng = stream(0, "tabletop/carpet")
    down, across = np.mgrid[:side, :side] / side * 2 * np.pi
    loops = np.sin(40 * across + 2 * np.sin(20 * down)) * np.sin(40 * down)
    grey = 56 + 14 * loops + 5 * Noise(rng).draw(side) + 9 * rng.standard_normal((side, side))
    return _bytes(np.repeat(grey[..., None], 3, axis=-1))


def concrete(side: int) -> Frame:
    """Return grey in clouds, with small pits."""
    rng = stream(0, "tabletop/concrete")
    clouds = 11 * Noise(rng, 1.2).draw(side) + 5 * rng.standard_normal((side, side))
    wall = (_plain(side, (152, 150, 146)) + clouds[..., None]).astype(np.float32)
    for _ in range(60):
        place, radius = rng.random(2), 0.001 + rng.exponential(0.003)
        _ellipse(wall, place, np.full(2, radius), 0.0, (92, 90, 88))
    return _bytes(wall)


def wood(side: int) -> Frame:
    """Return light wood, its grain running across."""
    grain = Noise(stream(0, "tabletop/wood"), 0.4).draw(side)
    along = cv2.GaussianBlur(grain, (0, 0), sigmaX=side / 5, sigmaY=side / 800)
    depth = (along / along.std())[..., None]
    return _bytes(np.array([216, 169, 112]) + depth * np.array([7, 12, 17]))


def sponge(side: int) -> Frame:
    """Return yellow foam full of holes."""
    rng = stream(0, "tabletop/sponge")
    foam = _plain(side, (244, 212, 78))
    foam += 8 * rng.standard_normal((side, side, 1)).astype(np.float32)
    for _ in range(230):
        radius = 0.006 + rng.exponential(0.011)
        place, size, turn = rng.random(2), radius * rng.uniform(0.75, 1.35, 2), rng.uniform(0, 180)
        _ellipse(foam, place, size, turn, (236, 180, 32))
        _ellipse(foam, place + 0.15 * size, 0.75 * size, turn, (222, 152, 14))
    return _bytes(foam)


def _plain(side: int, color: tuple[int, int, int]) -> Colors:
    return np.full((side, side, 3), color, np.float32)


def _bytes(colors: npt.NDArray[np.floating]) -> Frame:
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)


def _pixels(points: Points, side: int) -> npt.NDArray[np.int32]:
    return np.rint(points * side * 2**_BITS).astype(np.int32)


def _flake(rng: np.random.Generator) -> Points:
    """Return a splinter's four corners, somewhere on the board or half beyond it."""
    half = np.array([rng.uniform(0.15, 0.5), rng.uniform(0.04, 0.16)]) / 2
    ragged = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * rng.uniform(0.55, 1.0, (4, 2))
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners: Points = (ragged * half) @ turn.T + rng.uniform(-0.05, 1.05, 2)
    return corners


def _ellipse(
    picture: Colors, place: Points, radii: Points, turn: float, color: tuple[int, int, int]
) -> None:
    center, axes = _pixels(np.stack([place, radii]), len(picture)).tolist()
    cv2.ellipse(picture, center, axes, turn, 0, 360, color, -1, cv2.LINE_AA, _BITS)


TABLETOPS: dict[str, Callable[[int], Frame]] = {
    "white": white,
    "chipboard": chipboard,
    "carpet": carpet,
    "concrete": concrete,
    "wood": wood,
    "sponge": sponge,
}
"""Name -> function of a side in pixels, which returns `(side, side, 3)` uint8, RGB."""
