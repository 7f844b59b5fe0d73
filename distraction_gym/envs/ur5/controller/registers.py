"""Input and output registers, and which connection owns an input."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from distraction_gym.envs.ur5.controller.variables import INPUTS, OUTPUTS
from distraction_gym.envs.ur5.controller.wire import TYPES, Value


def _zero(kind: str) -> Value:
    count, _ = TYPES[kind]
    return 0 if count == 1 else [0] * count


class Registers:
    """The table that the front ends, the program and the arm share."""

    def __init__(self) -> None:
        self.inputs: dict[str, Value] = {name: _zero(kind) for name, kind in INPUTS.items()}
        self.outputs: dict[str, Value] = {name: _zero(kind) for name, kind in OUTPUTS.items()}
        self._owners: dict[str, Hashable] = {}
        self._written: dict[str, float] = {}

    def claim(self, names: Iterable[str], owner: Hashable) -> set[str]:
        """Give inputs to a connection, all or none; return those that another one owns."""
        names = set(names)
        taken = {name for name in names if self._owners.get(name, owner) != owner}
        if not taken:
            self._owners.update(dict.fromkeys(names, owner))
        return taken

    def release(self, owner: Hashable) -> None:
        """Free what a connection owned. The values stay: nothing stops the arm."""
        self._owners = {name: who for name, who in self._owners.items() if who != owner}

    def write(self, values: Mapping[str, Value], now: float) -> None:
        """Set inputs."""
        self.inputs.update(values)
        self._written.update(dict.fromkeys(values, now))

    def written(self, name: str) -> float:
        """Return when an input was last written, in seconds of the controller's clock."""
        return self._written.get(name, 0.0)
