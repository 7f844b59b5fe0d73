"""The environment's side of the process that drives the arm: orders with deadlines."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from distraction_gym.envs.ur5_real import worker
from distraction_gym.envs.ur5_real.faults import ArmFault
from distraction_gym.envs.ur5_real.link import Link, RtdeLink
from distraction_gym.envs.ur5_real.safety import Refused
from distraction_gym.envs.ur5_real.worker import Settings, State

START_SECONDS = 30.0
"""The longest time in which the process may start and connect."""
_ANSWER = 5  # times `Settings.stale_after`
STOP_SECONDS = 5.0


class ArmProcess:
    """A process of its own that drives the arm, until it is closed or something goes wrong.

    It is started once: after an `ArmFault` a new one is needed.

    Args:
        settings: Address, limits, rates.
        connect: Makes the connection as `RtdeLink` does; a function that pickles.

    Raises:
        ArmFault: where the arm cannot be driven.
    """

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[str, bool, float], Link] = RtdeLink,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._answer_seconds = _ANSWER * settings.stale_after
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=worker.run, args=(theirs, settings, connect), daemon=True, name="ur5 arm"
        )
        self._process.start()
        theirs.close()
        try:
            self._ask("read", None, START_SECONDS)
        except ArmFault:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._process.pid

    def drive(self, speeds: npt.ArrayLike) -> State:
        """Ask for joint speeds, `(6,)` in rad/s, until the next order.

        Raises:
            Refused: for what is not six finite numbers; the arm brakes.
            ArmFault: where the arm does not move any more.
        """
        return self._ask("drive", speeds, self._answer_seconds)

    def go(self, goal: npt.ArrayLike) -> State:
        """Begin the way to a place, six joint angles; `read` tells when it has ended.

        Raises:
            Refused: for a way that leaves the limits; the arm brakes.
            ArmFault: where the arm does not move any more.
        """
        return self._ask("go", goal, self._answer_seconds)

    def read(self) -> State:
        """Return the arm's state.

        Raises:
            ArmFault: where the arm does not move any more.
        """
        return self._ask("read", None, self._answer_seconds)

    def close(self) -> None:
        """Stop the arm and end the process. A second call does nothing."""
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():  # it hangs: the controller's watchdog has stopped the arm
            self._process.kill()
            self._process.join()

    def _ask(self, kind: str, value: Any, seconds: float) -> State:
        with contextlib.suppress(OSError):  # it has ended; what it said last may still be there
            self._pipe.send((kind, value))
        try:
            if not self._pipe.poll(seconds):
                raise ArmFault("worker_stalled", f"for {seconds:g} s")
            answer, content = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(1.0)
            raise ArmFault("worker_died", f"exit code {self._process.exitcode}") from error
        if answer == "refused":
            raise Refused(content)
        if answer == "fault":
            raise ArmFault(*content)
        return content  # type: ignore[no-any-return]
