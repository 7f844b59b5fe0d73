"""Camera turns for scenes without a camera: the picture itself is moved and rotated."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.typing import Frame, Matte

FIELD_OF_VIEW = 45.0
"""Assumed vertical field of view in degrees, MuJoCo's default: turns of a camera in pixels."""


class Turning:
    """Turns of one frame, in the order in which they were asked for.

    A picture has no depth: a roll rotates it about its centre, a pan or tilt by an angle `a` moves
    it by `f tan(a)` pixels, where `f` is the focal length that belongs to `FIELD_OF_VIEW`. The
    border goes on outside the frame: a mirror image would show things twice.
    """

    def __init__(self) -> None:
        self._turns: list[tuple[float, float, float]] = []

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, roll: float, pan: float, tilt: float) -> None:
        """Turn about the view's own axes, in degrees (see `Scene.turn`)."""
        self._turns.append((roll, pan, tilt))

    def frame(self, frame: Frame) -> Frame:
        """Return a turned frame, `(H, W, 3)` uint8."""
        return np.asarray(self._warp(frame, cv2.INTER_LINEAR), np.uint8)

    def matte(self, matte: Matte) -> Matte:
        """Return a turned matte `(H, W)`: booleans by the nearest pixel, weights smoothly."""
        if matte.dtype == np.bool_:
            return self.ids(matte.astype(np.uint8)).astype(np.bool_)
        return np.asarray(self._warp(matte, cv2.INTER_LINEAR), np.float32)

    def ids(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return turned labels `(H, W)`, by the nearest pixel."""
        return np.asarray(self._warp(ids, cv2.INTER_NEAREST), np.uint8)

    def _warp(self, picture: npt.NDArray, interpolation: int) -> npt.NDArray:
        if not self._turns:
            return picture
        height, width = picture.shape[:2]
        matrix = self._matrix(height, width)[:2]
        return cv2.warpAffine(
            picture,
            matrix,
            (width, height),
            flags=interpolation,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _matrix(self, height: int, width: int) -> npt.NDArray[np.float64]:
        """Return where the pixels go: `(3, 3)`, x to the right and y downwards."""
        focal = height / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
        center = np.array([(width - 1) / 2, (height - 1) / 2])
        whole = np.eye(3)
        for roll, pan, tilt in self._turns:
            # The camera turns one way, what it sees the other.
            cosine, sine = np.cos(np.radians(roll)), np.sin(np.radians(roll))
            rotation = np.array([[cosine, -sine], [sine, cosine]])
            move = focal * np.tan(np.radians([pan, tilt]))
            turn = np.eye(3)
            turn[:2, :2] = rotation
            turn[:2, 2] = rotation @ (move - center) + center
            whole = turn @ whole
        return whole
