"""Pictures of surfaces made here: what tables and walls are covered with.

They stand in for the photographs that RL-ViGen lays on Adroit's table, which are others': the same
ten kinds of material per level, calm ones and busy ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.noise import Noise
from distraction_gym.typing import RGB, Frame

Field = npt.NDArray[np.float32]
"""`(S, S)` float32; weights are in [0, 1]."""
Painter = Callable[..., Field]


@dataclass(frozen=True)
class Surface:
    """One material: two colours, and how they are spread."""

    paint: Painter
    dark: RGB
    light: RGB
    settings: tuple[Any, ...] = ()

    def draw(self, rng: np.random.Generator, size: int) -> Frame:
        """Return the picture, `(size, size, 3)` uint8."""
        weight = np.clip(self.paint(rng, size, *self.settings), 0, 1)[..., None]
        dark, light = (255 * np.array(color, np.float32) for color in (self.dark, self.light))
        return np.rint(dark + weight * (light - dark)).astype(np.uint8)


def marble(rng: np.random.Generator, size: int) -> Field:
    """Thin dark veins in a cloudy stone."""
    veins = np.abs(Noise(rng, 1.4).draw(size)) ** 0.4
    return np.asarray(0.75 * veins + 0.1 * Noise(rng).draw(size) + 0.2, np.float32)


def brushed(rng: np.random.Generator, size: int, fine: float) -> Field:
    """Scratches along one direction."""
    across = max(3, size // 3)
    streaks = cv2.blur(Noise(rng, fine).draw(size), (across, 1))
    return np.asarray(0.5 + 0.25 * streaks / streaks.std(), np.float32)


def cloudy(rng: np.random.Generator, size: int) -> Field:
    """Soft patches with pores."""
    return np.asarray(
        0.5 + 0.2 * Noise(rng, 1.5).draw(size) + 0.08 * Noise(rng, 0.2).draw(size), np.float32
    )


def speckled(rng: np.random.Generator, size: int) -> Field:
    """Grains of three shades."""
    grain = Noise(rng, 0.4).draw(size)
    return np.asarray(0.5 * (grain > -0.4) + 0.5 * (grain > 0.7), np.float32)


def grained(rng: np.random.Generator, size: int, rings: int) -> Field:
    """Year rings of a board, bent by noise."""
    across, _ = _grid(size)
    phase = rings * across + 0.5 * Noise(rng, 1.6).draw(size)
    rough = brushed(rng, size, 0.5).T - 0.5
    return np.asarray(0.5 + 0.35 * np.sin(2 * np.pi * phase) + 0.4 * rough, np.float32)


def boarded(rng: np.random.Generator, size: int, boards: int) -> Field:
    """Boards side by side, each of a shade of its own, with dark joints."""
    across, _ = _grid(size)
    number = np.minimum((boards * across).astype(int), boards - 1)
    shade = rng.uniform(-0.2, 0.2, boards)[number]
    joint = (boards * across) % 1 < 0.08
    return np.asarray(np.where(joint, 0.0, grained(rng, size, 9) + shade), np.float32)


def windows(rng: np.random.Generator, size: int, houses: int) -> Field:
    """Houses of different height at night, some windows lit."""
    across, down = _grid(size)
    house = np.minimum((houses * across).astype(int), houses - 1)
    top = rng.uniform(0.05, 0.6, houses)[house]
    columns, rows = 4 * houses, 24
    lit = rng.random((rows, columns)) < 0.5
    pane = lit[(rows * down).astype(int) % rows, (columns * across).astype(int) % columns]
    frame = ((columns * across) % 1 < 0.3) | ((rows * down) % 1 < 0.3)
    wall = rng.uniform(0.1, 0.4, houses)[house]
    return np.asarray(np.where(down < top, 0.7 * down, np.where(frame, wall, pane)), np.float32)


def crumpled(rng: np.random.Generator, size: int, exponent: float) -> Field:
    """Foil: slopes of a rough sheet, lit from one side."""
    slope = np.diff(Noise(rng, exponent).draw(size), axis=1, append=0)
    return np.asarray(0.5 + 0.25 * slope / slope.std(), np.float32)


def squared(rng: np.random.Generator, size: int, squares: int) -> Field:
    """A chessboard."""
    across, down = ((squares * axis).astype(int) for axis in _grid(size))
    return np.asarray((across + down) % 2, np.float32)


def bricked(rng: np.random.Generator, size: int, rows: int) -> Field:
    """Bricks in running bond, with light mortar."""
    across, down = _grid(size)
    row = (rows * down).astype(int)
    along = rows / 2 * across + 0.5 * (row % 2)
    shade = rng.uniform(0.05, 0.45, (rows, rows + 1))[row, along.astype(int)]
    mortar = ((rows * down) % 1 < 0.14) | (along % 1 < 0.07)
    return np.asarray(np.where(mortar, 1.0, shade + 0.04 * Noise(rng, 0.3).draw(size)), np.float32)


def lined(rng: np.random.Generator, size: int) -> Field:
    """The lines of a court."""
    across, down = _grid(size)
    edges = [np.abs(axis - at) < 0.015 for axis in (across, down) for at in (0.1, 0.9)]
    inner = [np.abs(across - 0.5) < 0.015, np.abs(down - 0.3) < 0.015, np.abs(down - 0.7) < 0.015]
    lines = np.any([*edges, *inner], axis=0)
    return np.asarray(np.where(lines, 1.0, 0.12 + 0.04 * Noise(rng, 0.5).draw(size)), np.float32)


def _grid(size: int) -> tuple[Field, Field]:
    """Return how far right and how far down each pixel is, both in [0, 1)."""
    at = np.arange(size, dtype=np.float32) / size
    return np.broadcast_to(at[None], (size, size)), np.broadcast_to(at[:, None], (size, size))


_STEEL, _SILVER = (0.30, 0.32, 0.36), (0.85, 0.87, 0.90)
SURFACES: dict[str, tuple[Surface, ...]] = {
    "table_easy": (
        Surface(brushed, _STEEL, (0.75, 0.76, 0.78), (0.3,)),
        Surface(marble, (0.35, 0.36, 0.42), (0.95, 0.94, 0.90)),
        Surface(brushed, (0.40, 0.36, 0.30), (0.80, 0.74, 0.62), (0.8,)),
        Surface(brushed, (0.20, 0.22, 0.24), (0.62, 0.64, 0.68), (0.1,)),
        Surface(cloudy, (0.72, 0.48, 0.38), (0.96, 0.78, 0.68)),
        Surface(grained, (0.72, 0.55, 0.36), (0.93, 0.80, 0.60), (7,)),
        Surface(grained, (0.45, 0.27, 0.14), (0.75, 0.50, 0.28), (5,)),
        Surface(grained, (0.15, 0.25, 0.50), (0.35, 0.50, 0.80), (6,)),
        Surface(boarded, (0.35, 0.22, 0.12), (0.80, 0.58, 0.36), (6,)),
        Surface(speckled, (0.25, 0.23, 0.24), (0.80, 0.76, 0.75)),
    ),
    "table_hard": (
        Surface(grained, (0.30, 0.14, 0.06), (0.85, 0.50, 0.20), (14,)),
        Surface(windows, (0.04, 0.05, 0.12), (1.00, 0.85, 0.45), (5,)),
        Surface(windows, (0.10, 0.14, 0.20), (0.75, 0.90, 1.00), (8,)),
        Surface(windows, (0.20, 0.10, 0.14), (1.00, 0.60, 0.40), (3,)),
        Surface(crumpled, (0.25, 0.25, 0.28), (1.00, 1.00, 1.00), (1.3,)),
        Surface(crumpled, _STEEL, _SILVER, (0.9,)),
        Surface(squared, (0.08, 0.08, 0.10), (0.92, 0.90, 0.86), (8,)),
        Surface(boarded, (0.08, 0.05, 0.03), (0.30, 0.19, 0.12), (4,)),
        Surface(bricked, (0.50, 0.16, 0.10), (0.85, 0.80, 0.74), (10,)),
        Surface(lined, (0.10, 0.45, 0.25), (0.95, 0.98, 0.95)),
    ),
}
"""Pack -> its surfaces, from the one that RL-ViGen numbers 0."""
