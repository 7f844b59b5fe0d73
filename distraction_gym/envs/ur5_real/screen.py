"""What the lab's monitor shows: the disc of the task, on white or before a clip.

The environment tells where the disc is, once per episode (`tell`): over HTTP, as the simulated
camera is told, so that the screen may be another computer's. One thread draws, plays and listens.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import cv2
import numpy as np

from distraction_gym.distractions.player import Player
from distraction_gym.envs.ur5 import task
from distraction_gym.errors import DistractionGymError
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame

PORT = 8090
RATE = 25.0
"""Pictures per second, the clips' own rate in MaDi's evaluation."""
CLIP_SIZE = (180, 320)
"""Height and width at which clips are kept in memory: twice those of the camera's picture."""
SIZE = (1080, 1920)
"""Of the monitor where the window system does not tell."""
_TELL_SECONDS = 60.0  # a clip that is new to the machine is decoded before it is shown
_HEAR_SECONDS = 1.0
_LONGEST_REQUEST = 1000  # bytes
_FRACTION_BITS = 4  # of coordinates that OpenCV draws at
_RED, _BLACK, _WHITE = (255, 0, 0), (0, 0, 0), 255
_WINDOW = "distraction_gym screen"
_BARE = cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL | cv2.WINDOW_FREERATIO  # no toolbar, no margins


class ScreenError(DistractionGymError, OSError):
    """A screen that does not answer or refuses what it is told, or a machine without a display."""


# What is drawn ------------------------------------------------------------------------------------


class _Area(NamedTuple):
    """The largest 160 x 90 that fits on a monitor, in its middle."""

    left: float
    top: float
    unit: float
    """Pixels per unit."""

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Return column and row in OpenCV's fractions, from units of the lower left corner."""
        column = self.left + x * self.unit - 0.5  # OpenCV counts from a pixel's middle
        row = self.top + (task.SHAPE[0] - y) * self.unit - 0.5
        return _fractions(column), _fractions(row)


def draw(size: tuple[int, int], x: float, y: float, background: Frame | None = None) -> Frame:
    """Return the task's picture for a monitor, `(H, W, 3)` uint8, RGB.

    Args:
        size: The monitor's height and width.
        x: The disc's centre from the left, on a screen of 160 x 90. On a monitor of other
            proportions that is the largest such part, in the middle.
        y: From the lower edge.
        background: `(H, W, 3)` uint8, stretched over the monitor; None is white.
    """
    if background is None:
        picture = np.full((*size, 3), _WHITE, np.uint8)
    else:
        stretched = cv2.resize(background, size[::-1], interpolation=cv2.INTER_LINEAR)
        picture = np.array(stretched, np.uint8)  # a copy: clips are read-only
    _add_disc(picture, x, y)
    return picture


def calibration(size: tuple[int, int]) -> Frame:
    """Return a picture to place monitor and camera by, `(H, W, 3)` uint8, RGB.

    A border around the 160 x 90, a cross in the middle, and the disc at the four corners of its
    range: all four have to be whole in the camera's picture where episodes begin.
    """
    picture = np.full((*size, 3), _WHITE, np.uint8)
    height, width = task.SHAPE
    place, thick = _area(size).place, max(1, min(size) // 200)
    for start, end in (
        ((width / 2, 0), (width / 2, height)),
        ((0, height / 2), (width, height / 2)),
    ):
        cv2.line(picture, place(*start), place(*end), _BLACK, thick, cv2.LINE_AA, _FRACTION_BITS)
    cv2.rectangle(
        picture, place(1, 1), place(width - 1, height - 1), _BLACK, thick, shift=_FRACTION_BITS
    )
    inset = task.RADIUS + task.MARGIN
    for x in (inset, width - inset):
        for y in (inset, height - inset):
            _add_disc(picture, x, y)
    return picture


class Screen:
    """What plays: the disc where it was told to be, before one clip per episode.

    Args:
        pack: Which clips (see `assets.store`); None is white.
        assets: `"auto"`, `"generated"` or a folder.
        seed: Of the order of the clips; None: another one each time.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: if no such pack is generated.
    """

    def __init__(
        self, pack: str | None = None, assets: str = "auto", seed: int | None = None
    ) -> None:
        self._player = None if pack is None else Player(pack, assets)
        self._rng = stream(seed, "distraction")
        self.show(task.SHAPE[1] / 2, task.SHAPE[0] / 2)

    def show(self, x: float, y: float) -> None:
        """Begin an episode: put the disc somewhere, and begin a clip.

        Args:
            x: The disc's centre from the left edge, on a screen of 160 x 90.
            y: From the lower edge.

        Raises:
            ValueError: for a place that is not on the screen.
        """
        height, width = task.SHAPE
        if not (_is_within(x, width) and _is_within(y, height)):
            raise ValueError(
                f"expected x from 0 to {width} and y from 0 to {height}, got {x!r}, {y!r}"
            )
        self._disc = (x, y)
        if self._player is not None:
            self._player.reset(self._rng)

    def __call__(self, size: tuple[int, int]) -> Frame:
        """Return what a monitor of this height and width shows now, and move the clip on."""
        background = None if self._player is None else self._player.next(CLIP_SIZE)
        return draw(size, *self._disc, background)


# Where it is shown, and who tells -----------------------------------------------------------------


class Window:
    """A window that fills the monitor.

    Raises:
        ScreenError: without a display, or without OpenCV's windows.
    """

    def __init__(self) -> None:
        # Without one Qt would end the process.
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise ScreenError(
                "there is no display: run this on the computer of the lab's monitor, in its "
                "desktop session, or type  export DISPLAY=:0  there first"
            )
        try:
            cv2.namedWindow(_WINDOW, _BARE)
            cv2.setWindowProperty(_WINDOW, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        except cv2.error as error:
            raise ScreenError(
                "OpenCV has no windows here. Type  pip uninstall opencv-python-headless  and then  "
                f"pip install --force-reinstall opencv-python  ({error})"
            ) from error

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width in pixels."""
        *_, width, height = cv2.getWindowImageRect(_WINDOW)
        return (height, width) if min(height, width) > 0 else SIZE

    def show(self, picture: Frame) -> bool:
        """Show a picture; return whether the window goes on (Esc, q or its cross end it)."""
        cv2.imshow(_WINDOW, picture[..., ::-1])
        if cv2.waitKey(1) & 0xFF in (27, ord("q")):
            return False
        return bool(cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        """Close it."""
        cv2.destroyAllWindows()


class ScreenServer(TCPServer):
    """Takes `POST /show` with x and y in JSON, and answers once that is on the monitor.

    Args:
        show: Puts the disc somewhere and shows it.
        host: An address of this machine; 0.0.0.0: all of them.
        port: Of HTTP.

    Raises:
        OSError: where the port is taken.
    """

    allow_reuse_address = True

    def __init__(self, show: Callable[..., None], host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.show = show

    def listen(self, seconds: float) -> None:
        """Wait so long for a request, and serve it."""
        self.timeout = max(0.0, seconds)
        self.handle_request()


class _Handler(BaseHTTPRequestHandler):
    timeout = _HEAR_SECONDS
    server: ScreenServer

    def do_POST(self) -> None:
        """Show what the body says."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/show" or not length.isdigit() or int(length) > _LONGEST_REQUEST:
            self._answer(404, "POST /show with x and y in JSON")
            return
        try:
            self.server.show(**json.loads(self.rfile.read(int(length))))
        except (ValueError, TypeError) as error:
            self._answer(400, str(error))
        else:
            self._answer(200, "shown")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal may be on the monitor."""

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(text.encode())


def play(screen: Screen, window: Window, host: str, port: int) -> None:
    """Play until the window is closed, and show what is told.

    Raises:
        OSError: where the port is taken.
    """

    def show(x: float, y: float) -> None:
        screen.show(x, y)
        window.show(screen(window.size))

    server = ScreenServer(show, host, port)
    try:
        due = time.monotonic()
        while window.show(screen(window.size)):
            due = max(due + 1 / RATE, time.monotonic())
            server.listen(due - time.monotonic())  # also where drawing takes all the time
            while time.monotonic() < due:
                server.listen(due - time.monotonic())
    finally:
        server.server_close()


def show_calibration(window: Window) -> None:
    """Show the pattern to place monitor and camera by until the window is closed."""
    while window.show(calibration(window.size)):
        time.sleep(1 / RATE)


def tell(url: str, x: float, y: float) -> None:
    """Tell a screen, or the simulated camera's, where the disc is; return once it is shown.

    Args:
        url: `"http://host:port"`.
        x: The disc's centre from the left edge, on a screen of 160 x 90.
        y: From the lower edge.

    Raises:
        ScreenError: if it does not answer, or refuses.
    """
    body = json.dumps({"x": x, "y": y}).encode()
    opener = build_opener(ProxyHandler({}))  # the lab's own network
    try:
        request = Request(f"{url.rstrip('/')}/show", body, method="POST")
        opener.open(request, timeout=_TELL_SECONDS).close()
    except HTTPError as error:
        said = error.read().decode("utf-8", "replace")
        raise ScreenError(f"the screen {url} refuses the disc's place: {said}") from error
    except (OSError, ValueError) as error:
        raise ScreenError(
            f"the screen {url} does not answer: {error}. Type  distraction-gym ur5 screen "
            "--host 0.0.0.0  on its computer, and give screen='http://ADDRESS:"
            f"{PORT}', or screen=None if it is told by other means; then reset again"
        ) from error


def _area(size: tuple[int, int]) -> _Area:
    (height, width), (rows, columns) = size, task.SHAPE
    unit = min(height / rows, width / columns)
    return _Area((width - columns * unit) / 2, (height - rows * unit) / 2, unit)


def _add_disc(picture: Frame, x: float, y: float) -> None:
    area = _area((picture.shape[0], picture.shape[1]))
    radius = _fractions(task.RADIUS * area.unit)
    cv2.circle(picture, area.place(x, y), radius, _RED, -1, cv2.LINE_AA, _FRACTION_BITS)


def _fractions(pixels: float) -> int:
    return round(pixels * (1 << _FRACTION_BITS))


def _is_within(value: object, most: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most
