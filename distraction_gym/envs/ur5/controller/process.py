"""The simulated controller, and its camera, in processes of their own.

The controller cannot share one with the client: ur-rtde's constructors hold Python's lock while
they wait for its answers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from distraction_gym.errors import DistractionGymError

if TYPE_CHECKING:
    from typing_extensions import Self

SERVING = "serving"
"""First word of the line that a server prints when it does."""
FAULTS_PORT = 30100
CAMERA_PORT = 8080
_PACKAGE = "distraction_gym.envs.ur5.controller"
_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 5.0


class ControllerError(DistractionGymError, RuntimeError):
    """A simulated controller or camera did not start, has ended, or refused an order."""


class ServerProcess:
    """Start a server, wait until it serves, and end it in any case.

    Args:
        module: What Python runs.
        host: The server's address.
        options: Of its command line, without the dashes; None: left out.
    """

    def __init__(self, module: str, host: str, options: Mapping[str, Any]) -> None:
        self.host = host
        given = {"host": host, **options, "parent": os.getpid()}
        self._command = [sys.executable, "-m", module]
        self._command += [f"--{name}={value}" for name, value in given.items() if value is not None]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
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
            self._wait(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None
        self._log.close()

    def kill(self) -> None:
        """End it at once, as if its plug were pulled."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop its time: it keeps its connections and says no more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its time go on."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < give_up:
            if SERVING in self._said():
                return
            time.sleep(0.02)
        raise ControllerError(f"{' '.join(self._command[1:])} did not start: {self._said()}")

    def _said(self) -> str:
        # Not `read`: the server writes where the file was last read.
        return os.pread(self._log.fileno(), 1 << 16, 0).decode("utf-8", "replace").strip()


class ControllerProcess(ServerProcess):
    """A simulated controller.

    >>> with ControllerProcess("127.0.0.11") as controller:  # doctest: +SKIP
    ...     controller.inject("protective_stop")
    ...     controller.state()["safety_mode"]
    3

    Args:
        host: Its address. Parallel ones have the same ports and other addresses.
        model: `"ur5e"` or `"ur5"`.
        version: Of the controller; None: the model's usual one.
        start: Joints at the start, rad; None: upright, with the tool down.
        body: How joints follow their set-points: `"lag"`, or `"mujoco"`.
        speed_factor: Seconds of its clock in one second.
        faults_port: Of the side channel.
    """

    def __init__(
        self,
        host: str = "127.0.0.11",
        *,
        model: str = "ur5e",
        version: str | None = None,
        start: Sequence[float] | None = None,
        body: str = "lag",
        speed_factor: float = 1.0,
        faults_port: int = FAULTS_PORT,
    ) -> None:
        options = {
            "model": model,
            "version": version,
            "body": body,
            "start": None if start is None else ",".join(map(str, start)),
            "speed-factor": speed_factor,
            "faults-port": faults_port,
        }
        super().__init__(_PACKAGE, host, options)
        self.faults_port = faults_port

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

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = ask(self.host, self.faults_port, order)
        except OSError as error:
            raise ControllerError(f"no simulated controller at {self.host}: {error}") from error
        if "error" in answer:
            raise ControllerError(answer["error"])
        return answer


class CameraProcess(ServerProcess):
    """A network camera on a simulated controller: `cv2.VideoCapture(camera.url)`.

    Args:
        host: Of the controller whose arm it looks at, and its own.
        view: `"module:callable"` that returns what draws a picture of six joint angles.
        view_kwargs: Keywords for that callable, in types of JSON.
        rate: Pictures per second.
        port: Of HTTP.
        faults_port: Of the controller's side channel, over which it learns the joints.
    """

    def __init__(
        self,
        host: str,
        view: str = f"{_PACKAGE}.camera:Bars",
        view_kwargs: Mapping[str, Any] | None = None,
        *,
        rate: float = 25.0,
        port: int = CAMERA_PORT,
        faults_port: int = FAULTS_PORT,
    ) -> None:
        options = {
            "port": port,
            "faults-port": faults_port,
            "view": view,
            "view-kwargs": json.dumps(dict(view_kwargs or {})),
            "rate": rate,
        }
        super().__init__(f"{_PACKAGE}.camera", host, options)
        self.url = f"http://{host}:{port}/video"


def ask(host: str, port: int, order: Mapping[str, Any]) -> dict[str, Any]:
    """Ask a controller's side channel.

    Raises:
        OSError: when it does not answer.
    """
    with socket.create_connection((host, port), _ANSWER_SECONDS) as sock:
        sock.sendall(json.dumps(order).encode() + b"\n")
        answer = sock.makefile().readline()
    if not answer:
        raise ConnectionError("it hung up")
    return dict(json.loads(answer))
