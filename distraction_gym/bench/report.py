"""Write a report: markdown tables, a CSV of the same numbers, and a plot."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from distraction_gym.bench.plot import plot_returns
from distraction_gym.bench.records import Record
from distraction_gym.bench.stats import Estimate
from distraction_gym.bench.summary import (
    Row,
    agents_of,
    display_name,
    modes_of,
    published,
    summarize,
    tasks_of,
)


def write_report(records: Sequence[Record], folder: Path, title: str = "Returns") -> list[Path]:
    """Write `report.md`, `returns.csv` and `returns.png` into a folder.

    Args:
        records: What was measured, of any number of suites and tasks.
        folder: Created if need be; files of an earlier report are replaced.
        title: Heading of the markdown file.

    Returns:
        The files written.

    Raises:
        MissingExtra: without matplotlib.
    """
    rows = summarize(records)
    folder.mkdir(parents=True, exist_ok=True)
    plot = plot_returns(rows, folder / "returns.png")
    table = folder / "returns.csv"
    _write_csv(rows, table)
    page = folder / "report.md"
    sections = [f"# {title}", _protocol(rows, records), f"![Return per mode]({plot.name})"]
    for (suite, task), group in tasks_of(rows).items():
        sections += [f"## {suite}: {task}", *_tables(group)]
    page.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return [page, table, plot]


def return_table(rows: Sequence[Row]) -> str:
    """Return one task's returns as a markdown table, algorithms down and modes across."""
    return _grid(rows, lambda row: _interval(row.returns, "{:.1f}"))


def _tables(rows: Sequence[Row]) -> list[str]:
    parts = ["Return:", return_table(rows)]
    if any(not math.isnan(row.retention.mean) for row in rows):
        parts += [
            "Share of the clean return that is kept:",
            _grid(rows, lambda row: _interval(row.retention, "{:.0%}")),
        ]
    if any(not math.isnan(row.success.mean) for row in rows):
        parts += [
            "Share of episodes that succeed:",
            _grid(rows, lambda row: _interval(row.success, "{:.0%}")),
        ]
    printed = published(rows)
    if printed:
        lines = [
            "| algorithm | mode | metric | mean | seeds | source |",
            "|---|---|---|---|---|---|",
        ]
        for item in printed:
            spread = "" if item.spread is None else f" ± {item.spread:.0f}"
            seeds = "not stated" if item.seeds is None else str(item.seeds)
            name = display_name(item.algo)
            lines.append(
                f"| {name} | {item.mode} | {item.metric} | {item.mean:.0f}{spread} | {seeds} "
                f"| {item.source} |"
            )
        parts += ["Published, for comparison:", "\n".join(lines)]
    return parts


def _grid(rows: Sequence[Row], show: Callable[[Row], str]) -> str:
    modes = modes_of(rows)
    cells = {(row.agent, row.mode): show(row) for row in rows}
    lines = ["| algorithm | " + " | ".join(modes) + " |", "|---" * (len(modes) + 1) + "|"]
    for agent in agents_of(rows):
        values = [cells.get((agent, mode), "") for mode in modes]
        lines.append(f"| {display_name(*agent)} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _interval(value: Estimate, form: str) -> str:
    if math.isnan(value.mean):
        return "not defined"
    if math.isnan(value.low):
        return form.format(value.mean)
    low, high = form.format(value.low), form.format(value.high)
    return f"{form.format(value.mean)} [{low}, {high}]"


def _protocol(rows: Sequence[Row], records: Sequence[Record]) -> str:
    seeds = _span([row.seeds for row in rows])
    single = all(row.seeds == 1 for row in rows)
    kind = (
        "a bootstrap over the episodes of one training run: they say how well this model was "
        "measured, not how another training run would do"
        if single
        else "Student's t over training seeds (over episodes, by bootstrap, where there is one)"
    )
    training = " and ".join(sorted({row.train_mode for row in rows}))
    footage = ", ".join(sorted({record.assets for record in records}))
    commits = sorted({record.commit[:12] for record in records if record.commit})
    code = f" Code: commit {', '.join(commits)}." if commits else ""
    return (
        f"{seeds} training seed(s), {_span([row.episodes for row in rows])} episodes per mode, "
        f"{_span([row.steps for row in rows])} agent steps of training under {training}. "
        "Deterministic policy, undiscounted return; the same seeds, and so the same physics, in "
        f"every mode. Footage: {footage}. Brackets are 95 % intervals: {kind}.{code}"
    )


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _write_csv(rows: Sequence[Row], path: Path) -> None:
    names = ("mean", "low", "high")
    header = ["suite", "task", "algo", "train_mode", "mode", "seeds", "episodes", "steps"]
    header += [f"{value}_{name}" for value in ("return", "retention", "success") for name in names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            key = [row.suite, row.task, *row.agent, row.mode]
            counts = (row.seeds, row.episodes, row.steps)
            values = (*row.returns, *row.retention, *row.success)
            writer.writerow([*key, *counts, *(round(value, 4) for value in values)])
