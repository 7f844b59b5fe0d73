"""The controller's dashboard, asked before anything may move and after something went wrong."""

from __future__ import annotations

import contextlib
import socket
import time

from distraction_gym.envs.ur5_real.faults import ArmFault

PORT = 29999
TIMEOUT = 2.0
UNLOCK_AFTER = 5.5
"""Seconds; the controller refuses for 5."""
_ENDING = 1.5  # seconds within which a program whose client is gone ends by its watchdog
SAFETY_FAULTS = {
    "PROTECTIVE_STOP": "protective_stop",
    "SAFEGUARD_STOP": "safeguard_stop",
    "ROBOT_EMERGENCY_STOP": "emergency_stop",
    "SYSTEM_EMERGENCY_STOP": "emergency_stop",
}


def ask(host: str, *orders: str) -> list[str]:
    """Return the dashboard's answer to each order.

    Raises:
        ArmFault: `unreachable`.
    """
    try:
        with socket.create_connection((host, PORT), TIMEOUT) as sock:
            lines = sock.makefile(encoding="utf-8", errors="replace")
            lines.readline()  # the greeting
            answers = []
            for order in orders:
                sock.sendall(f"{order}\n".encode())
                answers.append(lines.readline().strip())
            return answers
    except OSError as error:
        raise ArmFault("unreachable", f"{host}, port {PORT}: {error}") from error


def check_ready(host: str) -> None:
    """Check that the arm may be driven: power, no stop, remote control, nobody else's program.

    Raises:
        ArmFault: with what is in the way.
    """
    robot, safety, remote = ask(host, "robotmode", "safetymode", "is in remote control")
    mode = safety.rpartition(" ")[2]
    if mode not in ("NORMAL", "REDUCED"):
        raise ArmFault(SAFETY_FAULTS.get(mode, "safety_fault"), safety)
    if not robot.endswith("RUNNING"):
        raise ArmFault("power_off", robot)
    if "false" in remote:  # a CB3 does not understand the question
        raise ArmFault("not_remote")
    give_up = time.monotonic() + _ENDING
    while "true" in ask(host, "running")[0]:
        if time.monotonic() > give_up:
            raise ArmFault("other_program", ask(host, "programState")[0])
        time.sleep(0.1)


def end_program(host: str) -> None:
    """End whatever program runs or is paused, so that nothing goes on after a stop is released.

    Says nothing where nobody answers: the program's watchdog does the same.
    """
    with contextlib.suppress(ArmFault):
        ask(host, "stop")


def unlock_protective_stop(host: str, wait: float = UNLOCK_AFTER) -> None:
    """Release a protective stop, once, after the time that the controller asks for.

    Does nothing where somebody has released it.

    Raises:
        ArmFault: `protective_stop` if it stays.
    """
    end_program(host)
    if not ask(host, "safetymode")[0].endswith("PROTECTIVE_STOP"):
        return
    time.sleep(wait)
    _, answer = ask(host, "close safety popup", "unlock protective stop")
    if answer != "Protective stop releasing":
        raise ArmFault("protective_stop", answer)
    time.sleep(0.5)  # until brakes and modes have followed
