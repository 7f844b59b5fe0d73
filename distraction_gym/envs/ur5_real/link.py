"""The objects of ur-rtde, used in one process and by one thread (see `worker`)."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from distraction_gym.envs.ur5.kinematics import Vector
from distraction_gym.errors import require

STOP_DECELERATION = 2.0
"""rad/s2 of the last stop."""
_READ = [
    *("timestamp", "actual_q", "actual_qd", "target_q", "target_qd", "actual_TCP_pose"),
    *("robot_mode", "safety_mode", "runtime_state"),
]


class Reading(NamedTuple):
    """What the controller tells: seconds, rad, rad/s, m."""

    timestamp: float
    q: Vector
    speed: Vector
    target_q: Vector
    target_speed: Vector
    pose: Vector
    robot_mode: int
    safety_mode: int
    runtime: int


class Link(Protocol):
    """What the worker needs of a connection to a controller."""

    def connected(self) -> bool:
        """Whether the connection stands."""

    def read(self) -> Reading:
        """Return what the controller told last. It may be old: look at its timestamp."""

    def send(self, speeds: Vector, acceleration: float) -> bool:
        """Ask for joint speeds; they stand until others are asked for. False: not taken."""

    def stop(self) -> None:
        """Stop the arm, end the program, hang up.

        Raises:
            RuntimeError: where the stop was not taken; nothing was ended then.
        """


class RtdeLink:
    """`RTDEReceiveInterface` and, unless it is a dry run, `RTDEControlInterface`.

    Args:
        host: The controller's address.
        dry_run: Take every command and send none.
        silence: Seconds without a command after which the controller ends its program: a watchdog
            there, which needs nothing of this process.

    Raises:
        MissingExtra: without ur-rtde.
        RuntimeError: where no controller answers, or it does not take the program.
    """

    def __init__(self, host: str, dry_run: bool, silence: float) -> None:
        receive = require("rtde_receive", "ur5")
        self._receive: Any = receive.RTDEReceiveInterface(host, -1.0, _READ)
        self._control: Any = None
        if not dry_run:
            self._control = require("rtde_control", "ur5").RTDEControlInterface(host)
            if not self._control.setWatchdog(1 / silence):
                raise RuntimeError("the controller did not take the watchdog")

    def connected(self) -> bool:
        """See `Link`."""
        return self._receive.isConnected() and (
            self._control is None or self._control.isConnected()
        )

    def read(self) -> Reading:
        """See `Link`."""
        source = self._receive
        return Reading(
            source.getTimestamp(),
            np.array(source.getActualQ()),
            np.array(source.getActualQd()),
            np.array(source.getTargetQ()),
            np.array(source.getTargetQd()),
            np.array(source.getActualTCPPose()),
            source.getRobotMode(),
            source.getSafetyMode(),
            source.getRuntimeState(),
        )

    def send(self, speeds: Vector, acceleration: float) -> bool:
        """See `Link`."""
        if self._control is None:
            return True
        return bool(self._control.speedJ(speeds.tolist(), acceleration))

    def stop(self) -> None:
        """See `Link`."""
        if self._control is not None:
            if not self._control.speedStop(STOP_DECELERATION):
                raise RuntimeError("the controller did not take the stop")
            self._control.stopScript()
            self._control.disconnect()
        self._receive.disconnect()
