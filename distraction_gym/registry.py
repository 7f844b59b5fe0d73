"""The one registry type behind every plug-in point."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from distraction_gym.errors import UnknownName

T = TypeVar("T")
C = TypeVar("C", bound=type)


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a name that is not known, with the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names) or 'none'}."
    return UnknownName(f"unknown {kind} {name!r}. {hint}")


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping from names to things, filled by `add` or the `register` decorator."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

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
        try:
            return self._items[name]
        except KeyError:
            raise unknown(self.kind, name, self._items) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
