"""The plot of a report: one panel per task, a group of bars per mode, a bar per algorithm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distraction_gym.bench.summary import Row, algos_of, display_name, modes_of, tasks_of
from distraction_gym.errors import require

# Okabe and Ito's palette: told apart by colour-blind readers, and in grey.
COLORS = ("#999999", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
COLUMNS = 3


def plot_returns(rows: Sequence[Row], path: Path) -> Path:
    """Draw mean returns with their 95 % intervals.

    Raises:
        MissingExtra: without matplotlib.
    """
    figures, patches = require("matplotlib.figure", "bench"), require("matplotlib.patches", "bench")
    groups = tasks_of(rows)
    across = min(COLUMNS, len(groups))
    down = math.ceil(len(groups) / across)
    width = max(4.5, 1.3 * len(modes_of(rows)) + 1.2)
    figure = figures.Figure(figsize=(width * across, 3.6 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flat
    algos = algos_of(rows)
    for (name, group), panel in zip(groups.items(), panels, strict=False):
        _draw_task(panel, group, algos)
        panel.set_title(f"{name[0]}: {name[1]}", loc="left")
    for panel in panels:  # the rest of a row that is not full
        panel.set_axis_off()
    swatches = [
        patches.Patch(color=_color(algos, algo), label=display_name(algo)) for algo in algos
    ]
    figure.legend(handles=swatches, loc="outside upper right", ncols=len(algos), frameon=False)
    figure.savefig(path, dpi=150)
    return path


def _draw_task(panel: Any, rows: Sequence[Row], algos: Sequence[str]) -> None:
    modes, width = modes_of(rows), 0.8 / len(algos)
    for index, algo in enumerate(algos):
        mine = [row for row in rows if row.algo == algo]
        if not mine:
            continue
        offset = (index - (len(algos) - 1) / 2) * width
        places = [modes.index(row.mode) + offset for row in mine]
        means = [row.returns.mean for row in mine]
        error = [
            [row.returns.mean - row.returns.low for row in mine],
            [row.returns.high - row.returns.mean for row in mine],
        ]
        panel.bar(places, means, width * 0.94, color=_color(algos, algo))
        panel.errorbar(places, means, yerr=error, fmt="none", ecolor="black", capsize=3, lw=1)
    panel.set_xticks(range(len(modes)), modes)
    panel.set_ylabel("return")
    panel.spines[["top", "right"]].set_visible(False)


def _color(algos: Sequence[str], algo: str) -> str:
    return COLORS[algos.index(algo) % len(COLORS)]
