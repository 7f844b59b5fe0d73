"""Pictures of red balls, which are things, and blue ones, which belong to the background."""

from __future__ import annotations

import cv2
import numpy as np

from distraction_gym.segmentation.samples import OTHER, THING, Samples

RED, BLUE, GREY = (225, 40, 35), (35, 40, 225), (70, 70, 70)


def picture(size: int, red=(), blue=()) -> Samples:
    """Draw one frame with balls `(x, y, radius)`, in shares of the size."""
    frame = np.full((size, size, 3), GREY, np.uint8)
    labels = np.full((size, size), OTHER, np.int16)
    for color, balls, label in ((BLUE, blue, OTHER), (RED, red, THING)):
        for index, (x, y, radius) in enumerate(balls):
            centre, reach = (round(x * size), round(y * size)), round(radius * size)
            cv2.circle(frame, centre, reach, color, -1)
            cv2.circle(labels, centre, reach, label + (index if label == THING else 0), -1)
    return Samples(frame[None], labels[None])


def pictures(count: int, size: int, rng: np.random.Generator) -> Samples:
    """Draw frames with up to three balls of each colour."""
    drawn = []
    for _ in range(count):
        balls = rng.uniform((0.1, 0.1, 0.09), (0.9, 0.9, 0.17), (6, 3))
        split = int(rng.integers(0, 4))
        drawn.append(picture(size, balls[:split], balls[3 : 3 + int(rng.integers(0, 3))]))
    return Samples(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))
