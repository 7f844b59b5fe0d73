"""The process that drives the arm: what it sends, when it stops, what it calls a fault."""

from __future__ import annotations

import json
import os
import threading
import time
from multiprocessing import Pipe

import numpy as np
import pytest

from distraction_gym.envs.ur5.task import RESET_POSE, advance
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.arm import ArmProcess
from distraction_gym.envs.ur5_real.faults import FAULTS, ArmFault
from distraction_gym.envs.ur5_real.link import Reading, RtdeLink
from distraction_gym.envs.ur5_real.safety import SafetyLimits
from distraction_gym.envs.ur5_real.worker import Settings, State, Worker, halt

SETTINGS = Settings("127.0.0.99", patience=0.3, stale_after=0.3)
ASKED = [0.1, 0, 0, 0, 0, 0.0]


class FakeLink:
    """A controller that is always well, with an arm whose clock goes by 10 ms per command."""

    def __init__(self) -> None:
        self.q, self.speed, self.time = np.array(RESET_POSE), np.zeros(6), 0.0
        self.sent: list[np.ndarray] = []
        self.is_connected, self.takes, self.frozen = True, True, False
        self.robot_mode, self.safety_mode, self.runtime = 7, 1, 2

    def connected(self) -> bool:
        return self.is_connected

    def read(self) -> Reading:
        joints = (self.q, self.speed, self.q, self.speed, np.zeros(6))
        return Reading(self.time, *joints, self.robot_mode, self.safety_mode, self.runtime)

    def send(self, speeds: np.ndarray, acceleration: float) -> bool:
        self.sent.append(speeds)
        self.q, self.speed = advance(self.q, self.speed, speeds, 0.01, acceleration)
        self.time += 0 if self.frozen else 0.01
        return self.takes

    def stop(self) -> None:
        """Nothing to stop."""


class Refusing(FakeLink):
    """A controller that does not take the stop."""

    def stop(self) -> None:
        raise RuntimeError


@pytest.mark.parametrize(
    ("link", "dry_run", "ended"),
    [(FakeLink, False, []), (Refusing, False, ["127.0.0.9"]), (Refusing, True, [])],
)
def test_a_stop_that_is_not_taken_ends_the_program(link, dry_run, ended, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(dashboard, "end_program", told.append)
    halt(link(), Settings("127.0.0.9", dry_run=dry_run))
    assert told == ended


def test_a_stop_that_the_controller_refuses_is_an_error():
    class Deaf:
        def speedStop(self, deceleration):  # noqa: N802 (ur-rtde's)
            return False

    link = RtdeLink.__new__(RtdeLink)
    link._control = Deaf()
    with pytest.raises(RuntimeError, match="did not take the stop"):
        link.stop()


class Running:
    """A worker's loop in a thread."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.link, self.interrupted = FakeLink(), False
        self.pipe, theirs = Pipe()
        self.worker = Worker(theirs, settings, self.link, lambda: self.interrupted)
        self.fault = ""
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def ask(self, kind: str, value: object = None) -> tuple[str, object]:
        self.pipe.send((kind, value))
        assert self.pipe.poll(10), "the worker does not answer"
        return self.pipe.recv()

    def _run(self) -> None:
        try:
            self.worker.loop()
        except ArmFault as fault:
            self.fault = fault.name

    def ended(self) -> str:
        """Wait for the end of the loop and return its fault; "" is none."""
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.fault


@pytest.fixture
def running():
    made = Running()
    yield made
    made.pipe.close()
    made.ended()


def until(holds) -> None:
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_it_sends_what_was_asked_for_again_and_again(running):
    until(lambda: running.link.sent)
    kind, state = running.ask("drive", ASKED)
    assert kind == "state" and isinstance(state, State)
    count = len(running.link.sent)
    until(lambda: len(running.link.sent) > count + 3)
    np.testing.assert_array_equal(running.link.sent[count], ASKED)
    assert not running.link.sent[0].any()  # and nothing before


def test_it_asks_for_zero_speed_when_nobody_speaks_any_more(running):
    running.ask("drive", ASKED)
    until(lambda: running.link.sent[-1].any())
    until(lambda: not running.link.sent[-1].any())
    until(lambda: not running.link.speed.any())
    _, state = running.ask("read")
    assert state.counts["stalls"] == 1
    assert not running.link.sent[-1].any()  # reading alone does not bring the command back


@pytest.mark.parametrize("wrong", [[np.nan] * 6, [0.1] * 5, None])
def test_it_refuses_what_is_no_command_and_brakes(running, wrong):
    running.ask("drive", ASKED)
    kind, said = running.ask("drive", wrong)
    assert kind == "refused" and "six finite numbers" in said
    count = len(running.link.sent)
    until(lambda: len(running.link.sent) > count + 1)
    assert not running.link.sent[-1].any()


def test_it_goes_to_a_place_and_stays_there(running):
    goal = np.array(RESET_POSE) + 0.05
    assert running.ask("go", goal)[1].moving
    state = running.ask("read")[1]
    give_up = time.monotonic() + 20
    while state.moving:
        assert time.monotonic() < give_up
        time.sleep(0.02)
        state = running.ask("read")[1]
    np.testing.assert_allclose(state.reading.q, goal, atol=2e-3)
    assert np.abs(running.link.sent).max() <= SafetyLimits().reset_speed + 1e-9
    kind, said = running.ask("go", goal + 5)
    assert kind == "refused" and "leaves the limits" in said


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({"is_connected": False}, "connection_lost"),
        ({"frozen": True}, "stale_state"),
        ({"takes": False}, "command_refused"),
        ({"takes": False, "safety_mode": 3}, "protective_stop"),
        ({"safety_mode": 5}, "safeguard_stop"),
        ({"safety_mode": 6}, "emergency_stop"),
        ({"safety_mode": 7, "robot_mode": 3, "runtime": 1}, "emergency_stop"),
        ({"safety_mode": 9}, "safety_fault"),
        ({"robot_mode": 5}, "power_off"),
        ({"runtime": 1}, "program_stopped"),
    ],
)
def test_what_is_wrong_has_a_name(running, broken, fault):
    running.ask("drive", ASKED)
    for name, value in broken.items():
        setattr(running.link, name, value)
    assert running.ended() == fault
    assert fault in FAULTS


def test_it_ends_when_told_to_and_when_its_pipe_closes(running):
    other = Running()
    other.pipe.close()
    assert other.ended() == ""
    running.interrupted = True
    assert running.ended() == "interrupted"


def test_what_it_does_is_logged(tmp_path):
    log = tmp_path / "log.jsonl"
    made = Running(Settings("127.0.0.99", log=str(log)))
    made.ask("drive", [9.0, 0, 0, 0, 0, 0])
    made.ask("drive", [np.inf] * 6)
    made.pipe.close()
    made.ended()
    first, second = map(json.loads, log.read_text().splitlines()[:2])
    assert first["event"] == "drive" and first["wanted"][0] == 9.0
    assert 0 < first["sent"][0] <= SafetyLimits().speed and "timestamp" in first
    assert second["event"] == "refused"


def dies(host: str, dry_run: bool, silence: float) -> FakeLink:
    os._exit(7)


def hangs(host: str, dry_run: bool, silence: float) -> FakeLink:
    link = FakeLink()
    link.send = lambda *_: time.sleep(60)  # type: ignore[method-assign]
    return link


def refuses(host: str, dry_run: bool, silence: float) -> FakeLink:
    raise RuntimeError("no room")


@pytest.mark.parametrize(
    ("connect", "fault", "said"),
    [
        (dies, "worker_died", "exit code 7"),
        (refuses, "unreachable", "no room"),
        (hangs, "worker_stalled", "for 0.2 s"),
    ],
)
def test_a_process_that_fails_does_so_in_time(connect, fault, said, monkeypatch):
    monkeypatch.setattr("distraction_gym.envs.ur5_real.arm.STOP_SECONDS", 0.1)
    with pytest.raises(ArmFault, match=said) as raised:
        settings = Settings("127.0.0.99", dry_run=True, stale_after=0.04)
        arm = ArmProcess(settings, connect)
        try:
            arm.drive(ASKED)
        finally:
            arm.close()
    assert raised.value.name == fault
