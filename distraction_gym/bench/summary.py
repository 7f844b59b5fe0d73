"""From records to the rows of a table: return, interval, retention, and what was published."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from distraction_gym.agents import AGENTS
from distraction_gym.bench.records import Record
from distraction_gym.bench.stats import Estimate, estimate, retention

CLEAN = "clean"
# Tables and plots go from what is easy to what is hard.
_ORDER = (CLEAN, "color_easy", "color_hard", "video_easy", "video_hard")
# How papers write the algorithms, from the baseline to what builds on it.
_ALGOS = {name: path.split(":")[1] for name, path in AGENTS.items()}
Agent = tuple[str, str]
"""An algorithm, and the mode that it was trained under."""
Key = tuple[str, str, str, str, str]
_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Row:
    """One algorithm on one task under one mode."""

    suite: str
    task: str
    algo: str
    train_mode: str
    mode: str
    returns: Estimate
    retention: Estimate
    """Of the seeds that were measured clean as well; NaN where none was."""
    success: Estimate
    """Share of the episodes that succeeded; NaN where the task knows no success."""
    seeds: int
    episodes: int
    """Per seed; the fewest, where seeds differ."""
    steps: int
    """Agent steps of training; the fewest, where seeds differ."""

    @property
    def agent(self) -> Agent:
        """Whose return it is."""
        return (self.algo, self.train_mode)


def summarize(records: Iterable[Record]) -> list[Row]:
    """Summarise records, one row per (suite, task, algorithm, training, mode), in that order."""
    cells: dict[Key, dict[int, Record]] = defaultdict(dict)
    for record in records:
        cells[record.cell[:-1]][record.seed] = record
    rows = [_row(key, cell, cells.get((*key[:4], CLEAN), {})) for key, cell in cells.items()]
    return sorted(
        rows, key=lambda row: (row.suite, row.task, *_place(row.agent), _rank(row.mode, _ORDER))
    )


def _row(key: Key, cell: dict[int, Record], clean: dict[int, Record]) -> Row:
    paired = sorted(set(cell) & set(clean))
    means = [[float(np.mean(runs[seed].returns)) for seed in paired] for runs in (cell, clean)]
    successes = [cell[seed].successes for seed in sorted(cell)]
    return Row(
        *key,
        returns=estimate([cell[seed].returns for seed in sorted(cell)]),
        retention=retention(*means) if paired else _UNKNOWN,
        success=estimate([*successes]) if all(successes) else _UNKNOWN,
        seeds=len(cell),
        episodes=min(len(record.returns) for record in cell.values()),
        steps=min(record.steps for record in cell.values()),
    )


def display_name(algo: str, train_mode: str = CLEAN) -> str:
    """Return an algorithm's name as papers write it, or the registered name of an unlisted one.

    It says what the agent was trained under where that was not clean.
    """
    name = _ALGOS.get(algo, algo)
    return name if train_mode == CLEAN else f"{name} ({train_mode})"


def modes_of(rows: Iterable[Row]) -> list[str]:
    """Return the modes of some rows, from easy to hard."""
    return sorted({row.mode for row in rows}, key=lambda mode: _rank(mode, _ORDER))


def agents_of(rows: Iterable[Row]) -> list[Agent]:
    """Return the agents of some rows, the baseline first."""
    return sorted({row.agent for row in rows}, key=_place)


def _place(agent: Agent) -> tuple[tuple[int, str], tuple[int, str]]:
    return _rank(agent[0], _ALGOS), _rank(agent[1], _ORDER)


def _rank(name: str, known: Iterable[str]) -> tuple[int, str]:
    """Return a sort key: known names in their order, then the others by name."""
    order = list(known)
    return (order.index(name) if name in order else len(order), name)


def tasks_of(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Group rows by (suite, task), keeping their order."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.suite, row.task].append(row)
    return dict(groups)


@dataclass(frozen=True)
class Published:
    """A return, or the share of successes in percent, that somebody printed."""

    suite: str
    task: str
    mode: str
    algo: str
    mean: float
    spread: float | None
    """What the source prints after its plus-minus sign."""
    seeds: int | None
    source: str
    metric: str = "return"


def published(rows: Sequence[Row]) -> list[Published]:
    """Return what was published for the tasks, modes and algorithms of rows trained clean."""
    text = resources.files("distraction_gym.bench").joinpath("published.json").read_text("utf-8")
    trained = [row for row in rows if row.train_mode == CLEAN]
    wanted = {(row.suite, row.task, row.algo, row.mode) for row in trained}
    entries: list[dict[str, Any]] = json.loads(text)
    found = [Published(**entry) for entry in entries]
    return [item for item in found if (item.suite, item.task, item.algo, item.mode) in wanted]
