"""The plot of a report: a row of panels per task, one per mode, and a line per agent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distraction_gym.bench.summary import Agent, Row, agents_of, display_name, modes_of, tasks_of
from distraction_gym.errors import require

INK, GRID = "#0072B2", "#dddddd"
LINE, PANEL = 0.27, 2.3
"""Inches: height of an agent's line, width of a mode's panel."""


def plot_returns(rows: Sequence[Row], path: Path) -> Path:
    """Draw mean returns with their 95 % intervals.

    Raises:
        MissingExtra: without matplotlib.
    """
    figures = require("matplotlib.figure", "bench")
    groups, modes, agents = tasks_of(rows), modes_of(rows), agents_of(rows)
    size = 1.2 + PANEL * len(modes), (0.9 + LINE * len(agents)) * len(groups)
    figure = figures.Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(groups), len(modes), squeeze=False, sharex="row", sharey=True)
    for (name, group), across in zip(groups.items(), panels, strict=True):
        for mode, panel in zip(modes, across, strict=True):
            _draw_mode(panel, [row for row in group if row.mode == mode], agents)
            panel.set_title(mode, loc="left", fontsize="medium")
        across[0].set_xlabel(f"return on {name[0]}: {name[1]}", loc="left")
        across[0].set_xlim(left=min(0.0, across[0].get_xlim()[0]))
    figure.savefig(path, dpi=150)
    return path


def _draw_mode(panel: Any, rows: Sequence[Row], agents: Sequence[Agent]) -> None:
    for row in rows:
        line, value = agents.index(row.agent), row.returns
        panel.plot([value.low, value.high], [line, line], color=INK, lw=2, alpha=0.4)
        panel.plot(value.mean, line, "o", color=INK, ms=5)
    panel.set_yticks(range(len(agents)), [display_name(*agent) for agent in agents])
    panel.set_ylim(len(agents) - 0.5, -0.5)  # the first at the top
    panel.grid(axis="x", color=GRID, lw=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)
