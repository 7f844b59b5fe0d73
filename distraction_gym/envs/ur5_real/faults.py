"""What can go wrong with the arm, by name."""

from __future__ import annotations

from typing import NamedTuple

from distraction_gym.errors import DistractionGymError


class Fault(NamedTuple):
    """A reason for which the arm does not move."""

    meaning: str
    remedy: str
    recovers: bool
    """Whether `auto_recover=True` may start again without a person."""


_RESTART = "see why, then env.unwrapped.recover()"
_BUTTON = "release it on the arm, power on, then env.unwrapped.recover()"
FAULTS = {
    "protective_stop": Fault(
        "the controller made a protective stop",
        "clear the way, unlock it on the pendant, then env.unwrapped.recover()",
        True,
    ),
    "emergency_stop": Fault("an emergency stop is pressed", _BUTTON, False),
    "safeguard_stop": Fault("a safeguard stop is active", _BUTTON, False),
    "safety_fault": Fault("the controller's safety system has a violation", _BUTTON, False),
    "power_off": Fault("the arm has no power or its brakes are on", _BUTTON, False),
    "not_remote": Fault(
        "the controller takes no orders from the network",
        "switch it to remote control on the pendant",
        False,
    ),
    "other_program": Fault(
        "another program runs on the controller", "stop it on the pendant", False
    ),
    "program_stopped": Fault("the control program has ended", _RESTART, True),
    "command_refused": Fault("the controller did not take a command", _RESTART, True),
    "stale_state": Fault("the controller tells nothing new", _RESTART, True),
    "connection_lost": Fault("the connection to the controller is lost", _RESTART, True),
    "unreachable": Fault(
        "nothing answers at the controller's address",
        "check the cable, the address, and that the controller is on",
        False,
    ),
    "stale_camera": Fault("the camera shows nothing new", _RESTART, True),
    "outside_limits": Fault(
        "the way to where episodes begin leaves the limits",
        "move the arm by hand, or correct the limits, then env.unwrapped.recover()",
        False,
    ),
    "not_arrived": Fault("the arm did not arrive where episodes begin", _RESTART, True),
    "worker_stalled": Fault("the process that drives the arm did not answer", _RESTART, True),
    "worker_died": Fault("the process that drives the arm has ended", _RESTART, True),
    "interrupted": Fault("the process that drives the arm was told to end", _RESTART, False),
}


class ArmFault(DistractionGymError, RuntimeError):
    """The arm does not move, for one of the reasons in `FAULTS`.

    Attributes: `name`, the key in `FAULTS`; `detail`.
    """

    def __init__(self, name: str, detail: str = "") -> None:
        fault = FAULTS[name]
        said = f" ({detail})" if detail else ""
        super().__init__(f"{name}: {fault.meaning}{said}. To go on: {fault.remedy}")
        self.name, self.detail = name, detail
