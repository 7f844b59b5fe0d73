"""What the lab's screen shows, and how it is told; without a display."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from ur5_lab import own_address

from distraction_gym.cli import main
from distraction_gym.envs.ur5 import task
from distraction_gym.envs.ur5_real import screen
from distraction_gym.envs.ur5_real.screen import Screen, ScreenError, calibration, draw, tell
from distraction_gym.typing import Frame

HOST, PORT = own_address(81), 8124
URL = f"http://{HOST}:{PORT}"


def disc(picture: Frame) -> tuple[float, float, float]:
    """The disc's centre from the left and from below, and its radius, in pixels."""
    rows, columns = np.nonzero(task.target_mask(picture))
    height = picture.shape[0]
    return columns.mean() + 0.5, height - rows.mean() - 0.5, (len(rows) / np.pi) ** 0.5


@pytest.mark.parametrize(
    ("size", "corner", "unit"),
    [
        ((1080, 1920), (0, 0), 12),
        ((1200, 1920), (0, 60), 12),  # 16:10
        ((1080, 2560), (320, 0), 12),  # 21:9
        ((360, 640), (0, 0), 4),
    ],
)
def test_the_disc_is_where_it_was_told_to_be(size, corner, unit):
    for x, y in ((17, 17), (143, 73), (50.25, 60)):
        picture = draw(size, x, y)
        assert picture.shape == (*size, 3) and picture.dtype == np.uint8
        across, up, radius = disc(picture)
        assert (across, up) == pytest.approx(
            (corner[0] + x * unit, corner[1] + y * unit), abs=0.15 + 0.01 * unit
        )
        assert radius == pytest.approx(task.RADIUS * unit, rel=0.03)
        assert (picture == 255).all(axis=-1).mean() > 0.97


def test_a_clip_is_stretched_behind_the_disc_and_never_written_into():
    clip = np.zeros((18, 32, 3), np.uint8)
    clip[:9] = (0, 200, 0)
    clip.setflags(write=False)
    for size in ((90, 160), (18, 32)):  # of the clip's own size, too
        picture = draw(size, 40, 20, clip)
        assert tuple(picture[2, 2]) == (0, 200, 0) and tuple(picture[-3, 2]) == (0, 0, 0)
        assert task.target_mask(picture, task.HIGHEST_DISTRACTED).any()


def test_the_pattern_shows_the_discs_at_the_ends_of_their_range():
    pattern = calibration((1080, 1920))
    mask = task.target_mask(pattern)
    assert mask.mean() == pytest.approx(4 * task.target_mask(draw((1080, 1920), 80, 45)).mean())
    for x in (17, 143):
        for y in (17, 73):
            assert mask[1080 - 12 * y, 12 * x]
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])
    assert not pattern[540, 100].any() and not pattern[100, 960].any()  # the cross


@pytest.mark.render
def test_the_screen_and_the_simulated_one_agree():
    """A disc drawn by the screen, and one in the simulated room, are seen in the same place."""
    pytest.importorskip("mujoco")
    from distraction_gym.envs.ur5.wrist import WristView

    view = WristView()
    for x, y in ((30.0, 65.0), (110.0, 25.0)):
        view.show(160 - x, 90 - y)
        other = task.target_mask(view(task.RESET_POSE))
        view.show(160 - x, 90 - y, draw((360, 640), x, y))
        drawn = task.target_mask(view(task.RESET_POSE)) & ~other
        view.show(x, y)
        expected = task.target_mask(view(task.RESET_POSE))
        assert expected.sum() > 60
        assert (drawn & expected).sum() > 0.85 * (drawn | expected).sum()
    view.close()


def test_every_episode_has_a_clip_and_the_seed_chooses_it():
    first, same = (Screen("video_hard", "generated", seed=3) for _ in "ab")
    for each in (first, same):
        each.show(30, 40)
    pictures = [first((90, 160)) for _ in range(3)]
    np.testing.assert_array_equal(pictures[0], same((90, 160)))
    assert (pictures[0] != pictures[2]).any()  # it plays
    assert (Screen()((90, 160)) == draw((90, 160), 80, 45)).all()


class Monitor:
    """A window that only keeps what it was shown, until it is told to end."""

    size = (90, 160)

    def __init__(self) -> None:
        self.newest = draw(self.size, 80, 45)
        self.goes_on = True

    def show(self, picture: Frame) -> bool:
        self.newest = picture
        return self.goes_on


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    monitor = Monitor()
    thread = threading.Thread(target=screen.play, args=(Screen(), monitor, HOST, PORT))
    thread.start()
    yield monitor
    monitor.goes_on = False
    thread.join()


def told(*place: float) -> None:
    """Tell it, once it listens."""
    for _ in range(100):
        try:
            return tell(URL, *place)
        except ScreenError:
            time.sleep(0.1)
    raise AssertionError("it does not listen")


def test_it_is_told_over_http_and_answers_when_it_is_seen(monitor):
    for place in ((30.0, 60.0), (120.0, 20.0)):
        told(*place)
        assert disc(monitor.newest)[:2] == pytest.approx(place, abs=0.2)


def test_a_wrong_place_is_refused_and_nothing_changes(monitor):
    told(30, 60)
    for wrong in ((161, 20), (20, -1), (float("nan"), 20)):
        with pytest.raises(ScreenError, match="expected x from 0 to 160"):
            tell(URL, *wrong)
    requests = [
        ("show", b'{"z": 1}', 400),
        ("show", b'{"x": "a", "y": 1}', 400),
        ("show", b"[1, 2]", 400),
        ("show", b"{", 400),
        ("show", b" " * 2000, 404),
        ("hide", b"{}", 404),
    ]
    for path, body, status in requests:
        with pytest.raises(HTTPError, match=str(status)):
            urlopen(Request(f"{URL}/{path}", body, method="POST"), timeout=20)
    assert disc(monitor.newest)[:2] == pytest.approx((30, 60), abs=0.2)


def test_a_screen_that_is_not_there_is_said_with_what_to_type():
    with pytest.raises(ScreenError, match="distraction-gym ur5 screen") as raised:
        tell(URL, 80, 45)
    assert URL in str(raised.value)
    with pytest.raises(ScreenError, match="does not answer"):
        tell("no url", 80, 45)


@pytest.mark.skipif("not sys.platform.startswith('linux')")
def test_no_display_is_one_clear_line(monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main(["ur5", "screen", "--calibrate"]) == 2
    assert "there is no display" in capsys.readouterr().err
    assert main(["ur5", "screen", "--mode", "video_hard", "--assets", "no_such_folder"]) == 2
    assert "no_such_folder" in capsys.readouterr().err
