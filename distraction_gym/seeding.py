"""Named random streams: one seed, and a stream of its own for everything that draws."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int | None, name: str) -> np.random.Generator:
    """Return the generator called `name` of a seed.

    Streams of one seed do not touch each other, so that adding a distraction never changes the
    episode beneath it: the same seed gives the same physics in every mode.

    Args:
        seed: Any non-negative integer; None draws from the operating system's entropy.
        name: What draws: `"physics"`, `"distraction"`, ...
    """
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
