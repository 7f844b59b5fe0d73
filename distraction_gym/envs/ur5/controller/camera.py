"""A network camera that looks at the simulated arm; OpenCV opens it like a real one.

`cv2.VideoCapture("http://127.0.0.11:8080/video")`. What it sees is drawn by any callable that takes
six joint angles and returns `(H, W, 3)` uint8, RGB, such as
`distraction_gym.envs.ur5.wrist.WristView`. `POST /show` with keywords in JSON calls the `show` of
that object: what plays on its screen.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from distraction_gym.envs.ur5.controller.mjpeg import CameraServer
from distraction_gym.envs.ur5.controller.process import CAMERA_PORT, FAULTS_PORT, SERVING, ask
from distraction_gym.errors import DistractionGymError
from distraction_gym.typing import Frame


class Bars:
    """A drawing of joint angles, for tests: a bar for each joint, half-way up at zero."""

    SHAPE = (90, 160)

    def __call__(self, q: Sequence[float]) -> Frame:
        """Return the picture at these six joint angles."""
        height, width = self.SHAPE
        picture = np.full((height, width, 3), 255, np.uint8)
        for joint, angle in enumerate(q):
            top = round(height / 2 * (1 - float(angle) / (2 * np.pi)))
            left = 10 + joint * 24
            picture[top:, left : left + 16] = (200, 0, 0)
        return picture


class Joints:
    """Asks the controller's side channel for the joints, which no fault of the network touches."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._last: Sequence[float] = [0.0] * 6

    def __call__(self) -> Sequence[float]:
        """Return the joints; the last ones known where the controller is gone, as a lens would."""
        with contextlib.suppress(OSError):
            self._last = ask(self._host, self._port, {"joints": True})["joints"]
        return self._last


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.11", help="its and the controller's")
    parser.add_argument("--port", type=int, default=CAMERA_PORT)
    parser.add_argument("--faults-port", type=int, default=FAULTS_PORT, help="of the controller")
    parser.add_argument("--rate", type=float, default=25.0, help="pictures per second")
    parser.add_argument(
        "--view", default=f"{__name__}:Bars", help="what draws: module:callable that returns it"
    )
    parser.add_argument("--view-kwargs", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent has ended")
    args = parser.parse_args(argv)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    try:
        view = load(args.view)(**args.view_kwargs)
        joints = Joints(args.host, args.faults_port)
        server = CameraServer(view, joints, args.host, args.port, args.rate)
    except (DistractionGymError, ValueError, OSError, ImportError, AttributeError) as error:
        print(f"simulated camera: {error}", file=sys.stderr)
        return 2
    parent = args.parent
    print(f"{SERVING} http://{args.host}:{args.port}/video", flush=True)
    try:
        server.run(lambda: not stopped and (parent is None or os.getppid() == parent))
    finally:
        server.close()
    return 0


def load(name: str) -> Callable[..., Any]:
    """Import `"module:thing"`."""
    module, _, thing = name.partition(":")
    return getattr(importlib.import_module(module), thing)


if __name__ == "__main__":
    raise SystemExit(main())
