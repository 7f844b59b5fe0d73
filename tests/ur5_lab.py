"""What the tests of the UR5 share: an address of their own, wide limits, a film for the camera."""

import os
from pathlib import Path

import cv2
import numpy as np

from distraction_gym.envs.ur5.task import RESET_POSE

FAST = {"safety": {"speed": 2.0, "tool_speed": 2.0, "reset_speed": 2.0}}
START = [angle + 0.1 for angle in RESET_POSE]


def own_address(number: int) -> str:
    """Return a loopback address that no other process of the tests uses."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"127.0.{100 + worker}.{number}"


def write_film(path: Path, width: int, height: int) -> str:
    """Write a film of a red disc on white, as a webcam would show it."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    assert writer.isOpened()
    frame = np.full((height, width, 3), 255, np.uint8)
    cv2.circle(frame, (width // 2, height // 2), height // 6, (0, 0, 255), -1)
    for _ in range(10):
        writer.write(frame)
    writer.release()
    return str(path)
