"""The simulated controller in a process of its own.

It cannot share one with the client: ur-rtde's constructors hold Python's lock while they wait for
the controller's answers.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any

from distraction_gym.errors import DistractionGymError

FAULTS_PORT = 30100
_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 5.0


class ControllerError(DistractionGymError, RuntimeError):
    """The simulated controller did not start, has ended, or refused an order."""


class ControllerProcess:
    """Start a simulated controller, wait until it serves, and end it in any case.

    >>> with ControllerProcess("127.0.0.11") as controller:  # doctest: +SKIP
    ...     controller.inject("protective_stop")
    ...     controller.state()["safety_mode"]
    3

    Args:
        host: Its address. Parallel ones have the same ports and other addresses.
        model: `"ur5e"` or `"ur5"`.
        version: Of the controller; None: the model's usual one.
        speed_factor: Seconds of its clock in one second.
        faults_port: Of the side channel.
    """

    def __init__(
        self,
        host: str = "127.0.0.11",
        *,
        model: str = "ur5e",
        version: str | None = None,
        speed_factor: float = 1.0,
        faults_port: int = FAULTS_PORT,
    ) -> None:
        self.host, self._port = host, faults_port
        options = {
            "host": host,
            "model": model,
            "version": version,
            "speed-factor": speed_factor,
            "faults-port": faults_port,
            "parent": os.getpid(),
        }
        self._command = [sys.executable, "-m", "distraction_gym.envs.ur5.controller"]
        self._command += [f"--{name}={value}" for name, value in options.items() if value]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ControllerProcess:
        """Start it and wait until it answers.

        Raises:
            ControllerError: if it ends at once (its address is taken, say), or does not answer.
        """
        # A file, not a pipe: who runs the tests may wait for the end of a pipe.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (until stop)
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._log.close()

    def kill(self) -> None:
        """End it at once, as if its plug were pulled."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def inject(self, fault: str, **arguments: float) -> None:
        """Inject a fault.

        Args:
            fault: `protective_stop`, `emergency_stop`, `release_emergency_stop`, `power_off`,
                `script_death`, `lost_packets` (`fraction`, `seconds`), `stall` (`seconds`: nothing
                is read or sent, the arm goes on), `socket_close`, `local_control` or
                `remote_control`.
            **arguments: Of the fault.

        Raises:
            ControllerError: for an unknown fault, or when the controller is gone.
        """
        self._ask({"fault": fault, **arguments})

    def state(self) -> dict[str, Any]:
        """Return joints, modes, counts and events as the controller itself has them.

        Raises:
            ControllerError: when the controller is gone.
        """
        return self._ask({"state": True})

    def __enter__(self) -> ControllerProcess:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.create_connection((self.host, self._port), _ANSWER_SECONDS) as sock:
                sock.sendall(json.dumps(order).encode() + b"\n")
                answer = json.loads(sock.makefile().readline())
        except (OSError, ValueError) as error:
            raise ControllerError(f"no simulated controller at {self.host}: {error}") from error
        if "error" in answer:
            raise ControllerError(answer["error"])
        return dict(answer)

    def _wait(self) -> None:
        assert self._process is not None
        give_up = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < give_up:
            try:
                self.state()
            except ControllerError:
                time.sleep(0.02)
            else:
                return
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip()
        raise ControllerError(f"the simulated controller at {self.host} did not start: {said}")
