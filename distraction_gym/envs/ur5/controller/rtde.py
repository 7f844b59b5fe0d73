"""Port 30004: RTDE, of which the client sets up what it reads and writes."""

from __future__ import annotations

import struct
from collections.abc import Callable

from distraction_gym.envs.ur5.controller import readings, wire
from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.session import Session
from distraction_gym.envs.ur5.controller.variables import INPUTS

PORT = 30004
_ACCEPTED, _REFUSED = b"\x01", b"\x00"


class RtdeSession(Session):
    """One client of RTDE. While it sets up, it gets exactly one frame for each of its own."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._splitter = wire.Splitter()
        self._outputs: wire.Recipe | None = None
        self._inputs: dict[int, wire.Recipe] = {}
        self._every = 1
        self._started = False
        self._answers: dict[int, Callable[[bytes], bytes]] = {
            wire.VERSION: self._version,
            wire.CONTROLLER: self._controller,
            wire.OUTPUTS: self._set_outputs,
            wire.INPUTS: self._set_inputs,
            wire.START: self._start,
            wire.PAUSE: self._pause,
        }

    def feed(self, data: bytes) -> bytes:
        """See `Session`."""
        try:
            frames = self._splitter.feed(data)
        except wire.WrongFrame as error:
            self._count_bad(error)
            self.finished = True
            return b""
        return b"".join(self._take(kind, body) for kind, body in frames)

    def stream(self, cycle: int) -> bytes:
        """See `Session`."""
        if not self._started or self._outputs is None or cycle % self._every:
            return b""
        return self._outputs.pack(readings.refresh(self.machine, self._outputs.types))

    def closed(self) -> None:
        """See `Session`."""
        self.machine.registers.release(self)

    def _take(self, kind: int, body: bytes) -> bytes:
        try:
            if kind == wire.DATA:
                self._write(body)
            elif kind in self._answers:
                return wire.frame(kind, self._answers[kind](body))
            else:
                raise wire.WrongFrame(f"a frame of the unknown type {kind}")
        except wire.WrongFrame as error:
            self._count_bad(error)
        return b""

    def _version(self, body: bytes) -> bytes:
        return _ACCEPTED if body == struct.pack(">H", 2) else _REFUSED

    def _controller(self, body: bytes) -> bytes:
        return struct.pack(">4I", *self.machine.version)

    def _set_outputs(self, body: bytes) -> bytes:
        if len(body) < 8:
            raise wire.WrongFrame("an output recipe without a frequency")
        (frequency,) = struct.unpack_from(">d", body)
        known = self.machine.variables()
        types = {name: known.get(name, wire.NOT_FOUND) for name in wire.names(body[8:])}
        if wire.NOT_FOUND in types.values() or not frequency > 0:
            return _REFUSED + ",".join(types.values()).encode()
        self._every = max(1, round(1 / self.machine.dt / frequency))
        self._outputs = wire.Recipe(1, types)
        return bytes([1]) + ",".join(types.values()).encode()

    def _set_inputs(self, body: bytes) -> bytes:
        types = {name: INPUTS.get(name, wire.NOT_FOUND) for name in wire.names(body)}
        if wire.NOT_FOUND not in types.values():
            taken = self.machine.registers.claim(types, self)
            types.update(dict.fromkeys(taken, wire.IN_USE))
        if not types.keys() or {wire.NOT_FOUND, wire.IN_USE} & set(types.values()):
            return _REFUSED + ",".join(types.values()).encode()
        number = len(self._inputs) + 1
        self._inputs[number] = wire.Recipe(number, types)
        return bytes([number]) + ",".join(types.values()).encode()

    def _start(self, body: bytes) -> bytes:
        self._started = self._outputs is not None
        return _ACCEPTED if self._started else _REFUSED

    def _pause(self, body: bytes) -> bytes:
        self._started = False
        return _ACCEPTED

    def _write(self, body: bytes) -> None:
        recipe = self._inputs.get(body[0]) if body else None
        if recipe is None:
            raise wire.WrongFrame("data for an input recipe that was not set up")
        self.machine.registers.write(recipe.unpack(body), self.machine.time)

    def _count_bad(self, error: wire.WrongFrame) -> None:
        self.machine.counts["bad_frames"] += 1
        self.machine.note(f"bad RTDE frame: {error}")
