"""The camera on the arm: a thread that keeps the newest picture, and its age."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import cv2
import numpy as np

from distraction_gym.envs.ur5 import task
from distraction_gym.errors import DistractionGymError
from distraction_gym.typing import Frame

_FIRST_SECONDS = 10.0
_RETRY_SECONDS = 0.1


class CameraError(DistractionGymError, OSError):
    """A camera that cannot be opened, or sends no picture."""


class Camera:
    """Keeps the newest picture of a camera; reopens one that ceases to send.

    Args:
        source: A camera's number, a URL, or a video file, which is played over and over.

    Raises:
        CameraError: if it does not open, or sends no picture within ten seconds.
    """

    def __init__(self, source: int | str) -> None:
        self._source = source
        self._capture: Any = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise CameraError(
                f"the camera {source!r} does not open: expected a camera's number (0, say), a "
                "video file or a URL"
            )
        self._pause = 0.0
        if isinstance(source, str) and os.path.exists(source):
            self._pause = 1 / max(1.0, self._capture.get(cv2.CAP_PROP_FPS))
        self._newest: tuple[Frame, float] | None = None
        self._arrived, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="camera")
        self._thread.start()
        if not self._arrived.wait(_FIRST_SECONDS):
            self.close()
            raise CameraError(f"the camera {source!r} sends no picture")

    def newest(self) -> tuple[Frame, float]:
        """Return the newest picture, `(H, W, 3)` uint8, RGB, and its age in seconds."""
        assert self._newest is not None
        frame, when = self._newest
        return frame, time.monotonic() - when

    def close(self) -> None:
        """Let go of the camera. A second call does nothing."""
        self._closed.set()
        self._thread.join(_FIRST_SECONDS)

    def _watch(self) -> None:
        while not self._closed.is_set():
            came, frame = self._capture.read()
            if came:
                self._newest = (np.ascontiguousarray(frame[..., ::-1]), time.monotonic())
                self._arrived.set()
                self._closed.wait(self._pause)
            else:
                self._closed.wait(self._pause or _RETRY_SECONDS)
                self._capture.open(self._source)
        self._capture.release()


def reduced(frame: Frame) -> Frame:
    """Return a camera's picture at 90 x 160: MaDi takes every fourth pixel of 360 x 640."""
    (height, width), (rows, columns) = frame.shape[:2], task.SHAPE
    step = height // rows
    if step and (height, width) == (step * rows, step * columns):
        return frame[::step, ::step]
    return task.resized(frame, task.SHAPE)
