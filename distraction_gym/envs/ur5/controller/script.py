"""Port 30003: where the client uploads its program. It is recognised, not interpreted."""

from __future__ import annotations

import re

from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.session import Session

PORT = 30003
LONGEST = 1_000_000
"""Bytes of a program. Any longer one is not kept."""
_END = re.compile(rb"^end[ \t\r]*\n", re.MULTILINE)
_CONTROL = re.compile(rb"^def rtde_control\(\):", re.MULTILINE)
_OFFSET = re.compile(rb"# int register offset\s+(\d+)\b")


class ScriptSession(Session):
    """One client that uploads programs."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._text = b""

    def feed(self, data: bytes) -> bytes:
        """See `Session`. A program counts when its closing `end`, not indented, is there."""
        self._text += data
        while (end := _END.search(self._text)) is not None:
            program, self._text = self._text[: end.end()], self._text[end.end() :]
            self.machine.upload(register_offset(program))
        if len(self._text) > LONGEST:
            self.machine.note("refused a script that never ends")
            self.finished = True
        return b""


def register_offset(program: bytes) -> int | None:
    """Return what the control program adds to its registers; None: it is another program."""
    if _CONTROL.search(program) is None:
        return None
    found = _OFFSET.search(program)
    return int(found[1]) if found else 0
