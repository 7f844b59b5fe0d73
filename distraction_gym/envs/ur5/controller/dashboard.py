"""Port 29999: the dashboard, one line of answer for one line of order."""

from __future__ import annotations

from collections.abc import Callable

from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.safety import Runtime, SafetyMode
from distraction_gym.envs.ur5.controller.session import LineSession

PORT = 29999
SERIAL = "20215500001"
_PROGRAM = "rtde_control"
# What is answered and has no effect here.
_POLITE = {
    "close safety popup": "closing safety popup",
    "popup": "showing popup",
    "close popup": "closing popup",
    "addToLog": "Added log message",
    "setUserRole": "Setting user role",
    "load": "File not found",
}


class DashboardSession(LineSession):
    """One client of the dashboard."""

    greeting = b"Connected: Universal Robots Dashboard Server\n"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._answers: dict[str, Callable[[], str]] = {
            "PolyscopeVersion": self._version,
            "get serial number": lambda: SERIAL,
            "get robot model": lambda: "UR5",
            "is in remote control": lambda: _word(machine.remote),
            "running": lambda: f"Program running: {_word(machine.runtime == Runtime.PLAYING)}",
            "isProgramSaved": lambda: f"True {_PROGRAM}",
            "programState": self._program_state,
            "get loaded program": lambda: "No program loaded",
            "robotmode": lambda: f"Robotmode: {machine.safety.robot.name}",
            "safetymode": lambda: f"Safetymode: {machine.safety.mode.name}",
            "safetystatus": lambda: f"Safetystatus: {machine.safety.mode.name}",
            "stop": self._stop,
            "play": lambda: _done(machine.play(), "Starting program", "play"),
            "pause": lambda: _done(machine.pause(), "Pausing program", "pause"),
            "unlock protective stop": self._unlock,
            "power on": lambda: _done(machine.safety.power_on(), "Powering on", "power on"),
            "power off": self._power_off,
            "brake release": lambda: _done(
                machine.safety.release_brakes(), "Brake releasing", "brake release"
            ),
            "restart safety": self._restart_safety,
            "quit": self._quit,
            "shutdown": self._shutdown,
        }

    def answer(self, line: str) -> str:
        """See `LineSession`."""
        if line in self._answers:
            return self._answers[line]()
        for order, reply in _POLITE.items():
            if line == order or line.startswith(f"{order} "):
                return reply
        return f'could not understand: "{line}"'

    def _version(self) -> str:
        return "URSoftware " + ".".join(map(str, self.machine.version))

    def _program_state(self) -> str:
        words = {Runtime.PLAYING: "PLAYING", Runtime.PAUSED: "PAUSED"}
        return f"{words.get(self.machine.runtime, 'STOPPED')} {_PROGRAM}"

    def _stop(self) -> str:
        self.machine.end_program("stopped from the dashboard")
        return "Stopped"

    def _unlock(self) -> str:
        if self.machine.unlock():
            return "Protective stop releasing"
        if self.machine.safety.mode == SafetyMode.PROTECTIVE_STOP:
            return "Cannot unlock protective stop until 5s after occurrence"
        return "No protective stop to unlock"

    def _power_off(self) -> str:
        self.machine.power_off()
        return "Powering off"

    def _restart_safety(self) -> str:
        if self.machine.safety.mode == SafetyMode.ROBOT_EMERGENCY_STOP:
            return "Failed to execute: restart safety"
        self.machine.power_off()
        return "Restarting safety"

    def _quit(self) -> str:
        self.finished = True
        return "Disconnected"

    def _shutdown(self) -> str:
        self.machine.power_off()
        return "Shutting down"


def _word(true: bool) -> str:
    return "true" if true else "false"


def _done(done: bool, answer: str, order: str) -> str:
    return answer if done else f"Failed to execute: {order}"
