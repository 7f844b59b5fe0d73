"""A stream of JPEG pictures over HTTP, as network cameras have it, from one thread."""

from __future__ import annotations

import base64
import json
import selectors
import socket
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from distraction_gym.envs.ur5.controller.server import check_loopback
from distraction_gym.typing import Frame

View = Callable[[Sequence[float]], Frame]
"""Six joint angles to a picture, `(H, W, 3)` uint8, RGB."""

_BOUNDARY = b"picture"
_HEADERS = b"HTTP/1.0 %s\r\nCache-Control: no-store\r\nContent-Type: %s\r\n"
_STREAM = b"multipart/x-mixed-replace; boundary=" + _BOUNDARY
# As little change of colours as a JPEG can have.
_JPEG = (
    *(cv2.IMWRITE_JPEG_QUALITY, 100),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)
_LONGEST_REQUEST = 64 * 1024 * 1024  # bytes
_PATIENCE = 1024 * 1024  # bytes that a viewer may leave unread before it misses pictures


class Viewer:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.request = b""
        self.unsent = b""
        self.streams = self.leaves = False

    def send(self) -> bool:
        """Send what can be sent; return whether the connection goes on."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return bool(self.unsent) or not self.leaves


class CameraServer:
    """Takes pictures at a fixed rate and serves them, in one thread.

    Args:
        view: Draws a picture.
        joints: Tells the joint angles now.
        host: The address, in 127.0.0.0/8.
        port: Of HTTP.
        rate: Pictures per second.

    Raises:
        ValueError: for another address.
        OSError: where the port is taken.
    """

    def __init__(
        self,
        view: View,
        joints: Callable[[], Sequence[float]],
        host: str,
        port: int,
        rate: float,
    ) -> None:
        check_loopback(host)
        self._view, self._joints, self._period = view, joints, 1 / rate
        self._selector = selectors.SelectSelector()
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._viewers: list[Viewer] = []

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Serve as long as `goes_on`, which is asked in every round."""
        due = time.monotonic()
        while goes_on():
            if time.monotonic() >= due:
                due = max(due + self._period, time.monotonic())
                self._publish(_part(self._jpeg()))
            events = self._selector.select(max(due - time.monotonic(), 0))
            for key, _ in events:
                key.data()

    def close(self) -> None:
        """Close every socket."""
        for viewer in list(self._viewers):
            self._drop(viewer)
        self._listener.close()
        self._selector.close()

    def _jpeg(self) -> bytes:
        picture = self._view(self._joints())
        _, jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], _JPEG)
        return jpeg.tobytes()

    def _publish(self, part: bytes) -> None:
        for viewer in list(self._viewers):
            if viewer.streams and len(viewer.unsent) < _PATIENCE:
                viewer.unsent += part
            if not viewer.send():
                self._drop(viewer)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        viewer = Viewer(sock)
        self._viewers.append(viewer)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._read(viewer))

    def _read(self, viewer: Viewer) -> None:
        try:
            data = viewer.socket.recv(1 << 20)
        except OSError:
            data = b""
        viewer.request += data
        if not data or len(viewer.request) > _LONGEST_REQUEST:
            self._drop(viewer)
            return
        head, blank, body = viewer.request.partition(b"\r\n\r\n")
        if blank and len(body) >= _content_length(head) and not viewer.streams:
            self._answer(viewer, head, body)
            if not viewer.send():
                self._drop(viewer)

    def _answer(self, viewer: Viewer, head: bytes, body: bytes) -> None:
        method, path, *_ = [*head.split(b" ", 2), b""]
        if (method, path) == (b"GET", b"/video"):
            viewer.unsent += _HEADERS % (b"200 OK", _STREAM) + b"\r\n"
            viewer.streams = True
            return
        viewer.leaves = True
        if (method, path) == (b"GET", b"/picture"):
            viewer.unsent += _whole(b"200 OK", b"image/jpeg", self._jpeg())
        elif (method, path) == (b"POST", b"/show"):
            viewer.unsent += self._show(body)
        else:
            viewer.unsent += _whole(b"404 Not Found", b"text/plain", b"GET /video, GET /picture")

    def _show(self, body: bytes) -> bytes:
        try:
            keywords = json.loads(body)
            if "picture" in keywords:
                keywords["picture"] = _decoded(keywords["picture"])
            self._view.show(**keywords)  # type: ignore[attr-defined]
        except (ValueError, TypeError, AttributeError) as error:
            return _whole(b"400 Bad Request", b"text/plain", str(error).encode())
        return _whole(b"200 OK", b"text/plain", b"shown")

    def _drop(self, viewer: Viewer) -> None:
        self._selector.unregister(viewer.socket)
        viewer.socket.close()
        self._viewers.remove(viewer)


def encoded(picture: Frame) -> str:
    """Return a picture as `POST /show` takes it: a PNG in base64."""
    _, png = cv2.imencode(".png", picture[:, :, ::-1])
    return base64.b64encode(png.tobytes()).decode()


def _decoded(text: str | None) -> Frame | None:
    if text is None:
        return None
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("the picture cannot be decoded")
    return picture[:, :, ::-1].copy()


def _part(jpeg: bytes) -> bytes:
    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % (_BOUNDARY, len(jpeg)) + jpeg + b"\r\n"


def _whole(status: bytes, kind: bytes, body: bytes) -> bytes:
    return _HEADERS % (status, kind) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0
