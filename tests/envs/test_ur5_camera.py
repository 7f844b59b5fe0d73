"""The simulated network camera: what OpenCV sees of it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from ur5_lab import own_address

from distraction_gym.envs.ur5.controller import CameraProcess, ControllerProcess
from distraction_gym.envs.ur5.controller.camera import Bars
from distraction_gym.envs.ur5.controller.mjpeg import CameraServer, encoded
from distraction_gym.envs.ur5.controller.process import ControllerError
from distraction_gym.typing import Frame

HOST, OTHER = own_address(41), own_address(42)
PORT = 8123
LIMITS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 20000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 20000]


class Screen:
    """Bars, or a picture of one's own."""

    def __init__(self) -> None:
        self.picture: Frame | None = None

    def show(self, picture: Frame | None = None) -> None:
        self.picture = picture

    def __call__(self, q: Sequence[float]) -> Frame:
        return Bars()(q) if self.picture is None else self.picture


class Camera:
    """A camera in a thread, whose arm a test moves."""

    def __init__(self) -> None:
        self.q = [0.0, -1.0, 1.0, 2.0, -3.0, 3.0]
        self.view = Screen()
        self.server = CameraServer(self.view, lambda: self.q, HOST, PORT, rate=100.0)
        self.goes_on = True
        self.thread = threading.Thread(target=self.server.run, args=(lambda: self.goes_on,))

    def url(self, path: str) -> str:
        return f"http://{HOST}:{PORT}/{path}"

    def show(self, **keywords: object) -> bytes:
        body = json.dumps(keywords).encode()
        return urlopen(Request(self.url("show"), body, method="POST"), timeout=20).read()


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera()
    camera.thread.start()
    yield camera
    camera.goes_on = False
    camera.thread.join()
    camera.server.close()


def close(picture: Frame, expected: Frame) -> bool:
    return float(np.abs(picture.astype(int) - expected.astype(int)).max()) < 12


def sees(capture: cv2.VideoCapture, expected: Frame, limit: int = 300) -> bool:
    """Whether one of the next pictures is as expected."""
    for _ in range(limit):
        read, picture = capture.read()
        assert read
        if close(picture[:, :, ::-1], expected):
            return True
    return False


def test_opencv_opens_it_like_a_network_camera(camera: Camera) -> None:
    capture = cv2.VideoCapture(camera.url("video"), cv2.CAP_FFMPEG, LIMITS)
    try:
        assert capture.isOpened()
        assert sees(capture, Bars()(camera.q))
        camera.q = [1.0] * 6
        assert sees(capture, Bars()([1.0] * 6))
        assert not close(Bars()([1.0] * 6), Bars()([0.9] * 6))  # the test can fail
    finally:
        capture.release()


def test_several_viewers_and_one_that_does_not_read(camera: Camera) -> None:
    with socket.create_connection((HOST, PORT), 20) as lazy:
        lazy.sendall(b"GET /video HTTP/1.1\r\nHost: x\r\n\r\n")
        captures = [cv2.VideoCapture(camera.url("video"), cv2.CAP_FFMPEG, LIMITS) for _ in "ab"]
        for capture in captures:
            assert sees(capture, Bars()(camera.q))
            capture.release()
    assert close(picture(camera), Bars()(camera.q))


def picture(camera: Camera) -> Frame:
    jpeg = urlopen(camera.url("picture"), timeout=20).read()
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def test_a_picture_shown_on_the_screen_is_seen(camera: Camera) -> None:
    shown = np.zeros((90, 160, 3), np.uint8)
    shown[:, 80:] = (255, 0, 0)  # red, so that the order of the channels matters
    assert camera.show(picture=encoded(shown)) == b"shown"
    seen = picture(camera)
    assert close(seen[:, :72], shown[:, :72])
    assert close(seen[:, 88:], shown[:, 88:])
    camera.show(picture=None)
    assert close(picture(camera), Bars()(camera.q))


@pytest.mark.parametrize("wrong", [{"pictures": 1}, {"picture": "bm8="}])
def test_wrong_orders_are_refused(camera: Camera, wrong: dict) -> None:
    with pytest.raises(HTTPError, match="400"):
        camera.show(**wrong)
    with pytest.raises(HTTPError, match="404"):
        urlopen(camera.url("nothing"), timeout=20)


def test_it_looks_at_the_arm_of_a_controller() -> None:
    with ControllerProcess(OTHER) as controller, CameraProcess(OTHER) as camera:
        capture = cv2.VideoCapture(camera.url, cv2.CAP_FFMPEG, LIMITS)
        try:
            assert sees(capture, Bars()(controller.state()["q"]))
            controller.inject("stall", seconds=0.5)  # the camera has a wire of its own
            assert sees(capture, Bars()(controller.state()["q"]), limit=5)
            controller.kill()
            assert capture.read()[0]
        finally:
            capture.release()
        with pytest.raises(ControllerError, match="no simulated controller"):
            controller.state()


def test_a_frozen_controller_says_no_more_and_comes_back() -> None:
    with ControllerProcess(OTHER) as controller:
        controller.freeze()
        with socket.create_connection((OTHER, controller.faults_port), 5) as sock:
            sock.settimeout(0.3)
            sock.sendall(b'{"state": true}\n')
            with pytest.raises(TimeoutError):
                sock.recv(1)
            controller.thaw()
            sock.settimeout(20)
            assert sock.recv(1) == b"{"
        before = controller.state()["time"]
        time.sleep(0.1)
        assert controller.state()["time"] > before


def test_what_cannot_be_imported_is_named() -> None:
    with pytest.raises(ControllerError, match="Bras"):
        view = "distraction_gym.envs.ur5.controller.camera:Bras"
        CameraProcess(OTHER, view).start()
