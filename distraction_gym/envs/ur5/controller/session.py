"""What a front end does with the bytes of one connection; it has no socket."""

from __future__ import annotations

from distraction_gym.envs.ur5.controller.machine import Machine


class Session:
    """One connection to one port."""

    greeting = b""
    """What the controller says first."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.finished = False
        """Whether the controller hangs up after the answer."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes, which arrive in any pieces; return the answer."""
        raise NotImplementedError

    def stream(self, cycle: int) -> bytes:
        """Return what is to be sent unasked at the end of a cycle."""
        return b""

    def closed(self) -> None:
        """The connection is gone."""


class LineSession(Session):
    """A connection whose questions and answers are lines."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """See `Session`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        answers = [self.answer(line.decode("utf-8", "replace").strip()) for line in lines]
        return "".join(f"{answer}\n" for answer in answers).encode()

    def answer(self, line: str) -> str:
        """Answer one line with one line."""
        raise NotImplementedError
