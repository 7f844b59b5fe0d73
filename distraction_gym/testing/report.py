"""The outcome of every check, for every kind on every stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from distraction_gym.distractions import DISTRACTIONS
from distraction_gym.errors import MissingExtra, RenderingUnavailable
from distraction_gym.testing.checks import CHECKS, Item, check
from distraction_gym.testing.stages import STAGES


class Result(NamedTuple):
    """One line of the report."""

    kind: str
    stage: str
    check: str
    outcome: str
    """`"ok"`, `"unsupported"` (the scene cannot be edited so, and said so) or `"failed"`."""
    message: str = ""


def report(items: Iterable[Item] | None = None) -> Iterator[Result]:
    """Yield the outcome of every check of every distraction on every stage.

    Args:
        items: Entries of modes; None takes every registered kind with its default arguments.
    """
    for item in [{"kind": kind} for kind in DISTRACTIONS] if items is None else items:
        for stage in STAGES:
            for name in CHECKS:
                yield _result(item, name, stage)


def _result(item: Item, name: str, stage: str) -> Result:
    line = Result(item["kind"], stage, name, "ok")
    try:
        return line if check(item, name, stage) else line._replace(outcome="unsupported")
    except (MissingExtra, RenderingUnavailable) as error:
        return line._replace(outcome="unsupported", message=str(error))
    except Exception as error:  # whatever a plug-in raises is what the report is for
        return line._replace(outcome="failed", message=f"{type(error).__name__}: {error}")
