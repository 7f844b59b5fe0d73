"""Pixels -> masks: segmenters by name.

>>> from distraction_gym.segmentation import make_segmenter
>>> masks, scores = make_segmenter("superpixel", k=4).segment(frames)  # frames (B, H, W, 3) uint8
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from distraction_gym.registry import Registry
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments

__all__ = [
    "SEGMENTERS",
    "Frames",
    "Masks",
    "Segmenter",
    "Segments",
    "as_segmenter",
    "make_segmenter",
]

SEGMENTERS: Registry[str | type[Segmenter]] = Registry("segmenter", "distraction_gym.segmenters")
"""Name -> the class, or `"module:class"`, which loads when it is asked for."""

_CLASSES = {
    "oracle": "oracle:OracleSegmenter",
    "background": "background:BackgroundSegmenter",
    "superpixel": "superpixel:SuperpixelSegmenter",
    "propagated": "propagated:PropagatedSegmenter",
    "fastsam": "fastsam:FastSAMSegmenter",
    "learned": "learned:LearnedSegmenter",
    "segformer": "segformer:SegFormerSegmenter",
    "degraded": "degraded:DegradedSegmenter",
}
for _name, _path in _CLASSES.items():
    SEGMENTERS.add(_name, f"distraction_gym.segmentation.{_path}")


def make_segmenter(name: str, **kwargs: Any) -> Segmenter:
    """Build a segmenter.

    Args:
        name: A name in `SEGMENTERS`.
        **kwargs: The arguments of its class, JSON types.

    Raises:
        UnknownName: for a name that does not exist.
    """
    found = SEGMENTERS[name]
    if isinstance(found, str):
        module, cls = found.split(":")
        found = getattr(importlib.import_module(module), cls)
    assert not isinstance(found, str)
    return found(**kwargs)


def as_segmenter(given: Segmenter | str | Mapping[str, Any], **arguments: Any) -> Segmenter:
    """Return a segmenter itself, or build the one that a name or `{"name": ..., **kwargs}` says.

    Args:
        given: The segmenter.
        **arguments: Of its class, over those that `given` says.

    Raises:
        UnknownName: for a name that does not exist.
        ValueError: for a mapping without `"name"`, or arguments for what is built already.
    """
    if isinstance(given, Segmenter):
        if arguments:
            raise ValueError(
                f"{type(given).__name__} is built already and takes no {', '.join(arguments)}: "
                "give it by name,  {'name': 'superpixel', 'k': 4, ...}"
            )
        return given
    spec = {"name": given} if isinstance(given, str) else given
    if "name" not in spec:
        raise ValueError(
            f"a segmenter is given as {{'name': 'superpixel', 'k': 4, ...}}, got {dict(spec)!r}"
        )
    return make_segmenter(**{**spec, **arguments})
