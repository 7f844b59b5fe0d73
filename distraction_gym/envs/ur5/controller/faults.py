"""The side channel: faults on demand and a look inside, one line of JSON for one line of JSON.

`{"fault": "stall", "seconds": 1}` injects, `{"state": true}` looks, `{"joints": true}` glances.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.session import LineSession
from distraction_gym.registry import unknown


class Network:
    """What is wrong between the client and the controller. Seconds are the controller's."""

    def __init__(self, machine: Machine, seed: int = 0) -> None:
        self._machine = machine
        self._rng = np.random.default_rng(seed)
        self._lossy_until = self._silent_until = 0.0
        self._fraction = 0.0
        self.close_sockets = False
        """Whether the server is to close its connections to RTDE."""

    @property
    def silent(self) -> bool:
        """Whether nothing is read or sent. The arm goes on with what it does."""
        return self._machine.time < self._silent_until

    def loses(self) -> bool:
        """Draw whether the next frame of data is lost."""
        if self._machine.time >= self._lossy_until or self._rng.random() >= self._fraction:
            return False
        self._machine.counts["packets_lost"] += 1
        return True

    def lose(self, fraction: float, seconds: float) -> None:
        """Lose this part of the frames of data."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"expected a fraction from 0 to 1, got {fraction}")
        self._fraction, self._lossy_until = fraction, self._machine.time + seconds

    def stall(self, seconds: float) -> None:
        """Be silent."""
        self._silent_until = self._machine.time + seconds


class FaultSession(LineSession):
    """One user of the side channel."""

    def __init__(self, machine: Machine, network: Network) -> None:
        super().__init__(machine)
        self._network = network
        self._faults: dict[str, Callable[..., None]] = {
            "protective_stop": lambda: machine.protective_stop("injected"),
            "emergency_stop": machine.emergency_stop,
            "release_emergency_stop": self._release,
            "power_off": machine.power_off,
            "script_death": lambda: machine.end_program("injected"),
            "lost_packets": network.lose,
            "stall": network.stall,
            "socket_close": self._close,
            "local_control": lambda: self._set_remote(False),
            "remote_control": lambda: self._set_remote(True),
        }

    def answer(self, line: str) -> str:
        """See `LineSession`."""
        try:
            order = json.loads(line)
            if order.pop("joints", False):
                return json.dumps({"joints": self.machine.arm.actual_q.tolist()})
            if order.pop("state", False):
                return json.dumps(self.machine.state())
            name = order.pop("fault")
            if name not in self._faults:
                raise unknown("fault", name, self._faults)
            self._faults[name](**order)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return json.dumps({"error": str(error)})
        return "{}"

    def _release(self) -> None:
        if not self.machine.safety.release_emergency_stop():
            raise ValueError("no emergency stop to release")
        self.machine.note("emergency stop released; the power is off")

    def _close(self) -> None:
        self._network.close_sockets = True

    def _set_remote(self, remote: bool) -> None:
        self.machine.remote = remote
