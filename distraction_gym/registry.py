"""The one registry type behind every plug-in point."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from distraction_gym.errors import UnknownName

T = TypeVar("T")
C = TypeVar("C", bound=type)
_MOST_LISTED = 100  # names of a model's parts, but not the hundreds of environment IDs


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a name that is not known, with the nearest known one and the others."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hints = [f"unknown {kind} {name!r}."]
    if near:
        hints.append(f"Did you mean {near[0]!r}?")
    if not near or len(names) <= _MOST_LISTED:
        hints.append(f"Known: {', '.join(names) or 'none'}.")
    return UnknownName(" ".join(hints))


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping from names to things, filled by `add` or the `register` decorator.

    Args:
        kind: What one of the things is called in errors.
        plugins: Entry-point group in which other packages name things of their own
            (`name = "module:thing"`). It is read when a name is not found, or all are listed.
    """

    def __init__(self, kind: str, plugins: str | None = None) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._plugins = plugins

    def add(self, name: str, item: T) -> T:
        """Add one item.

        Raises:
            ValueError: if the name is taken.
        """
        if name in self._items:
            raise ValueError(f"{self.kind} {name!r} is already registered")
        self._items[name] = item
        return item

    def register(self, name: str) -> Callable[[C], C]:
        """Decorate a class to add it under `name`."""

        def decorate(item: C) -> C:
            self.add(name, item)  # type: ignore[arg-type]
            return item

        return decorate

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise unknown(self.kind, name, self._items)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._items:
            self._load_plugins()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._load_plugins()
        return iter(self._items)

    def __len__(self) -> int:
        self._load_plugins()
        return len(self._items)

    def _load_plugins(self) -> None:
        """Add what other packages offer, once; a broken one is left out with a warning."""
        group, self._plugins = self._plugins, None
        for entry in entry_points(group=group) if group else ():
            try:
                item = entry.load()
            except Exception as error:  # whatever another package's module raises
                warnings.warn(
                    f"the {self.kind} {entry.name!r} ({entry.value}) cannot be loaded: {error!r}",
                    RuntimeWarning,
                    stacklevel=4,
                )
                continue
            taken = self._items.setdefault(entry.name, item)  # its module may have added it
            if taken is not item:
                warnings.warn(
                    f"the {self.kind} {entry.name!r} ({entry.value}) is left out: {taken!r} has "
                    "that name already",
                    RuntimeWarning,
                    stacklevel=4,
                )
