"""How good do masks have to be?  Segmentation Dreamer's return against the quality of its masks.

    python benchmarks/mask_quality.py --jobs 2 --out runs/mask_quality
    python benchmarks/mask_quality.py --sweeps recall drop --seeds 1 2 3
    python benchmarks/mask_quality.py --table

The scene's own masks are made worse on purpose, one way at a time:

- recall: blobs of each mask are missing, other ones in every picture;
- precision: blobs beside it are in it, other ones in every picture;
- flicker: at a recall of 0.7, less and less of what is missing changes from picture to picture;
- drop: each connected piece is missing as a whole, now and then.

Each is learned from with naive and with selective L2, on mini-reach in training under clips that no
evaluation shows (see `sd_on_mini.py`, whose options these are). OUT gets table.md, points.json and
quality.png: the mean return of each point against recall, precision and IoU of its masks, which are
measured in training, over the later half of the run. `head` is the mask head's quality.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sd_on_mini import Agent, arguments, interval, masks_in_training, means, plan, shown

from distraction_gym.bench.grid import Grid, read_grid, run_grids
from distraction_gym.bench.plot import GRID, INK
from distraction_gym.bench.stats import over_seeds
from distraction_gym.errors import require

SWEEPS: dict[str, list[dict[str, float]]] = {
    "recall": [{"recall": value} for value in (0.9, 0.7, 0.5, 0.3)],
    "precision": [{"precision": value} for value in (0.9, 0.7, 0.5, 0.3)],
    "flicker": [{"recall": 0.7, "flicker": value} for value in (0.6, 0.3, 0.0)],
    "drop": [{"drop": value} for value in (0.1, 0.3, 0.5)],
}
LOSSES = {"naive": False, "selective": True}
MARKS = dict(zip(("whole", *SWEEPS), "*osD^", strict=True))
COLORS = {"naive": "#D55E00", "selective": INK}
AXES = {
    "mask_recall": "recall of the masks",
    "mask_precision": "precision of the masks",
    "mask_iou": "IoU of the masks",
}
Point = dict[str, Any]


def main() -> None:
    """Run what is missing, and draw what there is."""
    parser = arguments(__doc__ or "", Path("runs/mask_quality"))
    parser.add_argument("--sweeps", nargs="+", default=list(SWEEPS), choices=SWEEPS)
    args = parser.parse_args()
    agents = degraded(args.sweeps)
    grids = plan(agents, args)
    if not args.table:
        run_grids(grids, args.jobs)
    test = args.train_mode.removesuffix("_train")
    points = [point(name, grids[args.out / name], args.out, test) for name in agents]
    points = [found for found in points if found["returns"]]
    (args.out / "points.json").write_text(json.dumps(points, indent=2) + "\n", encoding="utf-8")
    page = table(points)
    (args.out / "table.md").write_text(page + "\n", encoding="utf-8")
    draw(points, args.out / "quality.png", test)
    print(page)


def degraded(sweeps: Sequence[str]) -> dict[str, Agent]:
    """Return an agent for every way of making masks worse and each loss, `SWEEP-VALUES-LOSS`."""
    kinds = [("whole", {}), *((sweep, worse) for sweep in sweeps for worse in SWEEPS[sweep])]
    agents = {}
    for sweep, worse in kinds:
        masks = {"name": "degraded", "segmenter": "oracle", **worse}
        for loss, selective in LOSSES.items():
            name = "-".join([sweep, *(f"{value:g}" for value in worse.values()), loss])
            agents[name] = Agent(name, "sd", {"masks": masks, "selective": selective})
    return agents


def point(name: str, grid: Grid, out: Path, test: str) -> Point:
    """Return the returns of an agent, and the quality of the masks that it learned from."""
    returns = means(read_grid(grid, out / name), test)
    folders = [grid.folder(out / name, grid.algos[0], seed) for seed in returns]
    runs = [masks_in_training(folder) for folder in folders]
    sweep, *_, loss = name.split("-")
    return {
        **{"name": name, "sweep": sweep, "loss": loss, "masks": grid.overrides["masks"]},
        "returns": returns,
        "interval": interval(list(returns.values())),
        **{key: float(np.mean([run[key] for run in runs])) for key in (runs[0] if runs else ())},
    }


def table(points: Sequence[Point]) -> str:
    """Return Markdown: a row for each point."""
    names = [*AXES, "head_recall", "head_precision", "head_iou"]
    head = ["masks", "loss", "return", *names, "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for found in points:
        seeds = list(found["returns"].values())
        values = [f"{found[key]:.2f}" if key in found else "" for key in names]
        cells = [_worse(found["masks"]), found["loss"], shown(over_seeds(seeds)), *values]
        lines.append(f"| {' | '.join([*cells, str(len(seeds))])} |")
    return "\n".join(lines)


def _worse(masks: Mapping[str, Any]) -> str:
    own = {key: value for key, value in masks.items() if key not in ("name", "segmenter")}
    return ", ".join(f"{key} {value:g}" for key, value in own.items()) or "the scene's own"


def draw(points: Sequence[Point], path: Path, test: str) -> None:
    """Draw the returns against each measure of quality."""
    figure = require("matplotlib.figure", "bench").Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, len(AXES), sharey=True)
    for panel, (key, title) in zip(panels, AXES.items(), strict=True):
        for found in points:
            mean, low, high = over_seeds(list(found["returns"].values()))
            color, mark = COLORS[found["loss"]], MARKS[found["sweep"]]
            panel.plot([found[key]] * 2, [low, high], color=color, lw=2, alpha=0.3)
            panel.plot(found[key], mean, mark, color=color, ms=6)
        panel.set_xlabel(title, loc="left")
        panel.grid(color=GRID, lw=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"return under {test}", loc="bottom")
    for loss, color in COLORS.items():
        panels[-1].plot([], [], "o", color=color, label=loss)
    for sweep, mark in MARKS.items():
        panels[-1].plot([], [], mark, color="grey", label=sweep)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
