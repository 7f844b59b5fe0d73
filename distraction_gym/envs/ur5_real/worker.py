"""The process that drives the arm. It alone holds the objects of ur-rtde.

Their constructors hold Python's lock, a lost connection can hang or crash the process, and what
they tell freezes silently: none of that may happen to a training run. A hundred times a second the
worker looks at the arm, checks the command that stands (`Safety`), and sends it. Each sending feeds
the watchdog of the program on the controller: without the worker, the controller stops the arm.

Whenever the environment was silent for `patience` seconds (paused, busy, in a debugger) the worker
asks for zero speeds; when its end of the pipe closes, or on SIGINT and SIGTERM, it stops the arm
and ends. After a fault it ends too: there is one way on, a new worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TextIO

import numpy as np

from distraction_gym.envs.ur5.kinematics import Vector, arm_named
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.faults import ArmFault
from distraction_gym.envs.ur5_real.link import Link, Reading, RtdeLink
from distraction_gym.envs.ur5_real.safety import Refused, Safety, SafetyLimits

ARRIVED, STANDING = 2e-3, 5e-3
"""rad and rad/s within which the arm has arrived."""
_RUNNING, _PLAYING = 7, 2  # robot_mode, runtime_state
_SAFETY_FAULTS = {
    3: "protective_stop",
    5: "safeguard_stop",
    6: "emergency_stop",
    7: "emergency_stop",
}
_DIAGNOSIS = 0.2  # seconds in which the reason for a refused command may show


@dataclass(frozen=True)
class Settings:
    """What a worker has to know."""

    host: str
    robot: str = "ur5e"
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    dry_run: bool = False
    rate: float = 100.0
    """Commands per second."""
    patience: float = 0.2
    """Seconds of silence after which the arm is braked."""
    stale_after: float = 0.1
    """Seconds of silence of the controller that are a fault; of this process, for which the
    controller ends its program."""
    log: str | None = None
    """A file to which every change of command and every event is added, a line of JSON each."""


class State(NamedTuple):
    """What the worker answers."""

    reading: Reading
    moving: bool
    """Whether the arm is on its way to a place."""
    counts: dict[str, int]
    """Of `Safety`, and `stalls`: how often the environment was silent for too long."""


def run(
    pipe: Connection, settings: Settings, connect: Callable[[str, bool, float], Link] = RtdeLink
) -> None:
    """Drive the arm until the pipe closes: what the process does."""
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop.append(received))
    try:
        if not settings.dry_run:
            dashboard.check_ready(settings.host)
        link = connect(settings.host, settings.dry_run, settings.stale_after)
    except ArmFault as fault:
        _tell(pipe, fault)
        return
    except Exception as error:
        _tell(pipe, ArmFault("unreachable", str(error)))
        return
    worker = Worker(pipe, settings, link, lambda: bool(stop))
    try:
        worker.loop()
        halt(link, settings)
        status = 0
    except Exception as error:
        what = error if isinstance(error, ArmFault) else ArmFault("worker_died", repr(error))
        worker.log(what.name, detail=what.detail)
        _tell(pipe, what)
        if what.name == "interrupted":
            halt(link, settings)
        elif not settings.dry_run:
            dashboard.end_program(settings.host)
        status = 1
    # A client whose connection is lost crashes when it is touched again, even to free it.
    os._exit(status)


def halt(link: Link, settings: Settings) -> None:
    """Stop the arm and hang up; where that is not taken, end the program, which stops it too."""
    try:
        link.stop()
    except Exception:
        if not settings.dry_run:  # else the program is somebody else's
            dashboard.end_program(settings.host)


class Worker:
    """The loop of `run`.

    Args:
        pipe: To the environment.
        settings: What to obey.
        link: To the controller.
        interrupted: Whether to end.
    """

    def __init__(
        self, pipe: Connection, settings: Settings, link: Link, interrupted: Callable[[], bool]
    ) -> None:
        self._pipe, self._settings, self._link = pipe, settings, link
        self._interrupted = interrupted
        self._safety = Safety(arm_named(settings.robot), settings.limits)
        self._answers: dict[str, Callable[[Any], None]] = {
            "drive": self._drive,
            "go": self._go,
            "read": lambda _: None,
        }
        self._log_file = _open_log(settings)
        self._wanted = np.zeros(6)
        self._goal: Vector | None = None
        self._silent, self._stalls = True, 0
        self._old = 0.0
        self._reading = self._first_reading()
        self._looked = self._heard = time.monotonic()

    def loop(self) -> None:
        """Command the arm until the environment has closed its end.

        Raises:
            ArmFault: when the arm does not move any more.
        """
        period = 1 / self._settings.rate
        due = time.monotonic()
        while True:
            try:
                while self._pipe.poll(max(0.0, due - time.monotonic())):
                    self._answer(*self._pipe.recv())
            except (EOFError, OSError):  # closed, or the environment's process has ended
                return
            if self._interrupted():
                raise ArmFault("interrupted")
            self._command()
            due = max(due + period, time.monotonic())

    def log(self, event: str, **values: object) -> None:
        """Add an event to the log, with the controller's time."""
        if self._log_file is not None:
            line = {"timestamp": self._reading.timestamp, "event": event, **values}
            print(json.dumps(line), file=self._log_file, flush=True)

    def _first_reading(self) -> Reading:
        """Return the first state that shows the program running, or the last one before that."""
        give_up = time.monotonic() + _DIAGNOSIS
        while fault_in(self._link.read(), self._settings.dry_run) and time.monotonic() < give_up:
            time.sleep(0.005)
        return self._link.read()

    def _answer(self, kind: str, value: Any) -> None:
        self._heard = time.monotonic()
        try:
            self._answers[kind](value)
        except Refused as error:
            self.log("refused", reason=str(error))
            self._wanted, self._goal = np.zeros(6), None
            self._pipe.send(("refused", str(error)))
        else:
            self._look()
            counts = {**self._safety.counts, "stalls": self._stalls}
            self._pipe.send(("state", State(self._reading, self._goal is not None, counts)))

    def _drive(self, wanted: Any) -> None:
        """Take the joint speeds that are to stand from now on."""
        self._wanted, self._goal = self._safety.six(wanted), None
        sent = self._command()
        self.log("drive", wanted=self._wanted.tolist(), sent=sent.tolist())

    def _go(self, goal: Any) -> None:
        """Take a place to go to, on the straight way of the joints."""
        self._safety.check_way(self._reading.target_q, goal)
        self._goal = self._safety.six(goal)
        self.log("go", goal=self._goal.tolist())

    def _command(self) -> Vector:
        """Look, check, send; return the joint speeds that were sent."""
        self._look()
        q, speed = self._reading.target_q, self._reading.target_speed
        sent = self._safety.speeds(q, speed, self._intention(q))
        if not self._link.send(sent, self._settings.limits.acceleration):
            give_up = time.monotonic() + _DIAGNOSIS
            while time.monotonic() < give_up:  # the state may tell why
                self._look()
                time.sleep(0.005)
            raise ArmFault("command_refused")
        return sent

    def _intention(self, q: Vector) -> Vector:
        """Return the joint speeds that are asked for now."""
        silent = time.monotonic() - self._heard > self._settings.patience
        if silent and not self._silent and (self._goal is not None or self._wanted.any()):
            self._stalls += 1
            self.log("stall")
        self._silent = silent
        if silent:
            self._wanted, self._goal = np.zeros(6), None
        if self._goal is None:
            return self._wanted
        if self._settings.dry_run or self._has_arrived(self._goal):
            self._wanted, self._goal = np.zeros(6), None
            return self._wanted
        return self._safety.toward(q, self._goal)

    def _has_arrived(self, goal: Vector) -> bool:
        off = float(np.abs(self._reading.q - goal).max())
        return off < ARRIVED and float(np.abs(self._reading.speed).max()) < STANDING

    def _look(self) -> None:
        """Read the controller's state.

        Raises:
            ArmFault: if it is old, or one in which the arm does not move.
        """
        if not self._link.connected():
            raise ArmFault("connection_lost")
        before, self._reading = self._reading, self._link.read()
        now = time.monotonic()
        # Of a time in which this process itself did not run, only a part counts.
        self._old += min(now - self._looked, 2 / self._settings.rate)
        self._looked = now
        if self._reading.timestamp != before.timestamp:
            self._old = 0.0
        if self._old > self._settings.stale_after:
            raise ArmFault("stale_state", f"for {self._old:.2f} s")
        name = fault_in(self._reading, self._settings.dry_run)
        if name:
            raise ArmFault(name)


def fault_in(reading: Reading, dry_run: bool) -> str:
    """Return why an arm in this state does not move; "" where it does."""
    if reading.safety_mode > 2:
        return _SAFETY_FAULTS.get(reading.safety_mode, "safety_fault")
    if reading.robot_mode != _RUNNING:
        return "power_off"
    if reading.runtime != _PLAYING and not dry_run:
        return "program_stopped"
    return ""


def _tell(pipe: Connection, fault: ArmFault) -> None:
    with contextlib.suppress(OSError):  # nobody may listen any more
        pipe.send(("fault", (fault.name, fault.detail)))


def _open_log(settings: Settings) -> TextIO | None:
    if settings.log is not None:
        return open(settings.log, "a", encoding="utf-8")
    return sys.stderr if settings.dry_run else None
