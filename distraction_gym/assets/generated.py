"""Footage made here: scenes of dead leaves or 1/f noise that a camera moves through.

Nothing is downloaded and nothing is anybody else's. A clip is a function of its pack, its index
and its size; the same index shows the same scene at every size. Pictures for training draw from
streams of their own and never meet a clip of an evaluation pack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distraction_gym.assets.leaves import Canvas, Leaves, palette
from distraction_gym.assets.motion import Motion, wander
from distraction_gym.assets.noise import Noise
from distraction_gym.assets.surfaces import SURFACES
from distraction_gym.registry import Registry
from distraction_gym.seeding import stream

VERSION = 1
"""Raise it with every change that a pixel shows: the cache keys on it."""
FRAMES = 250
"""A clip's usual length: an episode of DMC-GB at action repeat 4. Its end leads to its start."""
_SIDE = 2
"""A canvas is this many views wide and high."""


@dataclass(frozen=True)
class Recipe:
    """What the clips of a pack have in common."""

    clips: int
    cloudy: float
    """Share of clips whose backdrop is 1/f noise instead of leaves."""
    sprites: int
    """Layers of leaves between the backdrop and the camera."""
    pace: float
    """How far the camera wanders, in views."""
    drift: int
    """Most times that a layer passes by in a clip."""
    frames: int = FRAMES


RECIPES: Registry[Recipe] = Registry("generated pack")
# As many clips as DMC-GB's packs have. Its easy clips are calm, its hard ones walk through houses.
RECIPES.add("video_easy", Recipe(clips=10, cloudy=0.5, sprites=1, pace=0.03, drift=0))
RECIPES.add("video_hard", Recipe(clips=100, cloudy=0.2, sprites=2, pace=0.06, drift=1))
# For agents that learn under distraction; a pack's name is in its stream: no clip is in both.
RECIPES.add("video_hard_train", RECIPES["video_hard"])
# In place of the clips of cars driving that world models are tried with, apart by split.
RECIPES.add("driving_train", Recipe(clips=100, cloudy=0.1, sprites=2, pace=0.1, drift=2))
RECIPES.add("driving_test", Recipe(clips=100, cloudy=0.1, sprites=2, pace=0.1, drift=2))
# As many as DAVIS 2017 has for training, and as short: things move before a held camera.
RECIPES.add("davis", Recipe(clips=60, cloudy=0.2, sprites=3, pace=0.05, drift=0, frames=70))
# Single pictures of surfaces: their own recipes are in `surfaces`.
for _pack, _surfaces in SURFACES.items():
    RECIPES.add(_pack, Recipe(clips=len(_surfaces), cloudy=0, sprites=0, pace=0, drift=0, frames=1))


@dataclass(frozen=True)
class _Layer:
    """One canvas and its way past the camera."""

    canvas: Canvas
    """Where leaves are single it has a fourth channel, their cover, that colours are scaled by."""
    motion: Motion


def clip(pack: str, index: int, size: int) -> npt.NDArray[np.uint8]:
    """Draw a clip of an evaluation pack, `(T, size, size, 3)` uint8, RGB.

    Raises:
        UnknownName: if no such pack is generated.
    """
    recipe = RECIPES[pack]
    rng = stream(index, f"footage/{pack}")
    if pack in SURFACES:
        return SURFACES[pack][index].draw(rng, size)[None]
    layers = list(_layers(rng, recipe, size))
    light = 1 + 0.08 * wander(rng, recipe.frames, 1)[:, 0]
    frames = np.empty((recipe.frames, size, size, 3), np.uint8)
    for t in range(recipe.frames):
        frames[t] = np.clip(_compose(layers, t, size) * np.float32(light[t]), 0, 255)
    return frames


def picture(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    """Draw a dead-leaves picture for training, `(size, size, 3)` uint8, RGB."""
    rng = stream(index, f"pictures/training/{seed}")
    finest = 0.02 * 5 ** rng.random()  # from a hedge to a heap of boxes
    canvas = _leaves_canvas(rng, palette(rng, 9), size, (finest, 0.5))
    return canvas.astype(np.uint8)


def _layers(rng: np.random.Generator, recipe: Recipe, size: int) -> Iterator[_Layer]:
    """Draw a scene, from the backdrop to what is nearest."""
    colors = palette(rng, 8)
    camera = wander(rng, recipe.frames, 4)
    paint = _clouds_canvas if rng.random() < recipe.cloudy else _leaves_canvas
    for depth in range(recipe.sprites + 1):
        nearness = 1 + 0.7 * depth  # near things pass quicker: parallax
        shift = recipe.pace * nearness * camera[:, :2] + _drift(rng, recipe)
        zoom = np.exp(0.07 * nearness * camera[:, 2])
        motion = Motion(shift, zoom, 0.06 * camera[:, 3])
        if depth == 0:
            yield _Layer(paint(rng, colors, _SIDE * size), motion)
        else:
            leaves = Leaves.scatter(rng, palette(rng, 5), (0.025, 0.15), 0.16)
            canvas, cover = leaves.paint(_SIDE * size, (0.0, 0.0, 0.0))
            covered = np.dstack([canvas * cover[..., None], cover])
            yield _Layer(covered, motion)


def _drift(rng: np.random.Generator, recipe: Recipe) -> npt.NDArray[np.float64]:
    """Draw a steady way past the camera, `(T, 2)`, that ends where it began."""
    passes = rng.integers(-recipe.drift, recipe.drift + 1)
    across = passes * _SIDE * np.arange(recipe.frames) / recipe.frames
    return np.stack([across, np.zeros(recipe.frames)], axis=-1)


def _leaves_canvas(
    rng: np.random.Generator,
    colors: npt.NDArray[np.float32],
    size: int,
    radii: tuple[float, float] = (0.012, 0.32),
) -> Canvas:
    leaves = Leaves.scatter(rng, colors, radii, 3.0)
    return leaves.paint(size, tuple(colors[0].tolist()))[0]


def _clouds_canvas(rng: np.random.Generator, colors: npt.NDArray[np.float32], size: int) -> Canvas:
    """Shade between the colours of a palette along independent fields of noise."""
    fields = [Noise(rng, 1.2).draw(size) for _ in colors]
    weights = np.exp(2.5 * np.stack(fields, axis=-1))
    mixed = (weights / weights.sum(-1, keepdims=True)) @ colors
    light = 1 + 0.15 * Noise(rng).draw(size)
    return np.clip(mixed * light[..., None], 0, 255).astype(np.float32)


def _compose(layers: list[_Layer], t: int, size: int) -> npt.NDArray[np.float32]:
    """Lay the views of all layers over each other, `(size, size, 3)`."""
    frame = np.zeros((size, size, 3), np.float32)
    for layer in layers:
        seen = layer.motion.view(layer.canvas, t, size)
        frame *= 1 - seen[..., 3:].sum(-1, keepdims=True)  # the backdrop's has no fourth channel
        frame += seen[..., :3]
    return frame
