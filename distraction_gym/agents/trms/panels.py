"""What TRMS chooses from, as pictures (the paper's figure 2)."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from distraction_gym.agents.trms.sampler import Choice
from distraction_gym.typing import Frame

_TILE = 96  # pixels: tiles are drawn at least this large, for the numbers to be read
_TAKEN, _LEFT = (90, 220, 90), (120, 120, 120)


def draw_candidates(
    planes: npt.NDArray[np.bool_], weights: npt.NDArray[np.floating]
) -> npt.NDArray[np.uint8]:
    """Draw all masks of a frame in one picture, each in a hue of its own, as bright as its weight.

    Args:
        planes: `(k, H, W)`.
        weights: `(k,)` in [0, 1].

    Returns:
        `(H, W, 3)` uint8, RGB; the brightest mask has full brightness.
    """
    drawn = np.zeros((*planes.shape[1:], 3), np.float64)
    top = max(float(weights.max()), 1e-9)
    for index in np.argsort(weights, kind="stable"):  # the heaviest on top
        hue = np.array(colorsys.hsv_to_rgb(index / len(planes), 0.75, 1.0))
        drawn[planes[index]] = 255.0 * hue * weights[index] / top
    return drawn.round().astype(np.uint8)


def draw_choices(
    frame: Frame,
    planes: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.floating],
    taken: npt.NDArray[np.bool_],
    masks: dict[str, npt.NDArray[np.floating]],
) -> npt.NDArray[np.uint8]:
    """Draw a row: the frame, its masks with their weights, and what came of them.

    Args:
        frame: `(H, W, 3)` uint8.
        planes: `(k, H, W)`; those that were taken have a green frame.
        weights: `(k,)`.
        taken: `(k,)`.
        masks: Title -> `(H, W)` in [0, 1], such as the teacher's and the student's.

    Returns:
        `(S, (1 + k + len(masks)) * S, 3)` uint8, RGB, with S at least 96.
    """
    tiles = [_tile(frame, "", _LEFT)]
    for plane, weight, is_taken in zip(planes, weights, taken, strict=True):
        shown = np.where(plane[..., None], frame, frame // 6)
        tiles.append(_tile(shown, f"{weight:.2f}", _TAKEN if is_taken else _LEFT))
    for title, mask in masks.items():
        grey = np.repeat((255.0 * mask[..., None]).round().astype(np.uint8), 3, axis=2)
        tiles.append(_tile(grey, title, _LEFT))
    return np.hstack(tiles)


def draw_rows(pictures: Tensor, choice: Choice, student: Tensor) -> npt.NDArray[np.uint8]:
    """Draw a row of `draw_choices` for the newest frame of each observation.

    Args:
        pictures: `(B, 3f, H, W)`, 0-255.
        choice: Of their newest frames.
        student: The student's masks, `(B, H, W)`.
    """
    rows = []
    for row, picture in enumerate(pictures):
        frame = np.ascontiguousarray(picture[-3:].byte().permute(1, 2, 0).cpu().numpy())
        planes = choice.planes[row].bool().cpu().numpy()
        weights, taken = (part[row].cpu().numpy() for part in (choice.weights, choice.taken))
        masks = {"teacher": choice.mask[row, 0], "student": student[row]}
        shown = {title: mask.cpu().numpy() for title, mask in masks.items()}
        rows.append(draw_choices(frame, planes, weights, taken > 0.5, shown))
    return np.vstack(rows)


def _tile(picture: Frame, text: str, border: tuple[int, int, int]) -> Frame:
    factor = max(1, -(-_TILE // picture.shape[0]))
    tile = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    height, width = tile.shape[:2]
    cv2.rectangle(tile, (0, 0), (width - 1, height - 1), border, 2)
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # readable on anything
        cv2.putText(
            tile,
            text,
            (6, height - 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            color,
            thickness,
            cv2.LINE_AA,
        )
    return np.asarray(tile, np.uint8)
