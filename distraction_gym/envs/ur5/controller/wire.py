"""RTDE on the wire, version 2: frames, types of variables, packed values.

A frame is `uint16 size` (its own three bytes of header included), `uint8 type`, then its body. All
is big-endian; values are packed without gaps. (Universal Robots, "Real-Time Data Exchange".)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

Value = float | int | bool | Sequence[float] | Sequence[int]

VERSION = ord("V")
CONTROLLER = ord("v")
OUTPUTS = ord("O")
INPUTS = ord("I")
START = ord("S")
PAUSE = ord("P")
DATA = ord("U")

NOT_FOUND = "NOT_FOUND"
IN_USE = "IN_USE"
LONGEST_RECIPE = 2048
"""Bytes that a list of names may have."""

_HEADER = struct.Struct(">HB")
# Type -> (how many numbers, the struct code of one).
TYPES = {
    "BOOL": (1, "?"),
    "UINT8": (1, "B"),
    "UINT32": (1, "I"),
    "UINT64": (1, "Q"),
    "INT32": (1, "i"),
    "DOUBLE": (1, "d"),
    "VECTOR3D": (3, "d"),
    "VECTOR6D": (6, "d"),
    "VECTOR6INT32": (6, "i"),
    "VECTOR6UINT32": (6, "I"),
}


class WrongFrame(ValueError):
    """Bytes that are no frame, or a frame whose size is not what its recipe says."""


def frame(kind: int, body: bytes = b"") -> bytes:
    """Return one frame."""
    return _HEADER.pack(_HEADER.size + len(body), kind) + body


class Splitter:
    """Cuts the bytes of a connection, which arrive in any pieces, into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the type and the body of every frame that is complete now.

        Raises:
            WrongFrame: for a size smaller than a header; the connection is of no more use.
        """
        self._rest += data
        found = []
        while len(self._rest) >= _HEADER.size:
            size, kind = _HEADER.unpack_from(self._rest)
            if size < _HEADER.size:
                raise WrongFrame(f"a frame of {size} bytes, less than its header")
            if len(self._rest) < size:
                break
            found.append((kind, self._rest[_HEADER.size : size]))
            self._rest = self._rest[size:]
        return found


def names(body: bytes) -> list[str]:
    """Return the names of a recipe's list, which may end with a comma.

    Raises:
        WrongFrame: for a list that is too long or no ASCII.
    """
    if len(body) > LONGEST_RECIPE:
        raise WrongFrame(f"a recipe of {len(body)} bytes; at most {LONGEST_RECIPE}")
    try:
        return [name for name in body.decode("ascii").split(",") if name]
    except UnicodeDecodeError as error:
        raise WrongFrame("a recipe that is no ASCII") from error


class Recipe:
    """An agreed list of variables, packed in this order behind the recipe's number."""

    def __init__(self, number: int, types: Mapping[str, str]) -> None:
        self.number = number
        self.types = dict(types)
        layout = [TYPES[kind] for kind in self.types.values()]
        self._counts = [count for count, _ in layout]
        self._struct = struct.Struct(">B" + "".join(count * code for count, code in layout))

    @property
    def size(self) -> int:
        """Bytes of the packed values, the recipe's number included."""
        return self._struct.size

    def pack(self, values: Mapping[str, Value]) -> bytes:
        """Return a data frame with the values of the recipe's variables."""
        flat: list[float] = []
        for name, count in zip(self.types, self._counts, strict=True):
            if count == 1:
                flat.append(values[name])  # type: ignore[arg-type]
            else:
                flat.extend(values[name])  # type: ignore[arg-type]
        return frame(DATA, self._struct.pack(self.number, *flat))

    def unpack(self, body: bytes) -> dict[str, Value]:
        """Return the values in the body of a data frame.

        Raises:
            WrongFrame: for a body of the wrong size.
        """
        if len(body) != self._struct.size:
            raise WrongFrame(
                f"{len(body)} bytes for recipe {self.number}, which has {self._struct.size} "
                f"({', '.join(self.types)})"
            )
        flat = iter(self._struct.unpack(body)[1:])
        return {
            name: next(flat) if count == 1 else [next(flat) for _ in range(count)]
            for name, count in zip(self.types, self._counts, strict=True)
        }
