"""Segmentation Dreamer's claims on mini-reach, with distraction in training.

    python benchmarks/sd_on_mini.py --jobs 2 --out runs/sd_on_mini
    python benchmarks/sd_on_mini.py --table
    python benchmarks/sd_on_mini.py --train-mode video_vanish_train --agents dreamer sd_gt
    python benchmarks/sd_on_mini.py --weights one_frame.pt

| agent | learns under | decoder's target |
|---|---|---|
| `dreamer_clean` (Dreamer*) | clean | the picture |
| `dreamer` | `--train-mode` | the picture |
| `sd_gt` | `--train-mode` | what the scene's own masks keep |
| `sd_naive`, `sd_selective` | `--train-mode` | what masks keep that miss 30 % of what matters |
| `sd_few_naive`, `sd_few_selective` | `--train-mode` | what masks of the network `--weights` keep |

Footage: clips of `video_hard_train` play in training, those of `video_hard` in evaluation; no clip
is in both. False negatives: `degraded` takes 30 % of each mask's pixels away, in blobs about three
pixels across that each picture draws anew (`flicker=1`). So a pixel is missing three times in ten
and hardly any more often than not, which is what a mask head can put right. Errors that stay, and
whole things that go missing, are in `mask_quality.py`; errors that come of what is in the picture
are those of a network that was taught little, say by one frame (`train-segmenter --examples 1`).

Every agent has the mini preset. Runs are those of `distraction-gym bench run`, in OUT/AGENT: what
has a record is not run again, and a killed run goes on from its last checkpoint. OUT gets table.md,
summary.json, report.md, returns.csv and returns.png (a panel per mode).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from distraction_gym.bench.grid import CLEAN, Grid, read_grid, run_grids
from distraction_gym.bench.records import Record
from distraction_gym.bench.report import write_report
from distraction_gym.bench.stats import Estimate, over_seeds, retention

MISSED = 0.3
WORSE = {"name": "degraded", "segmenter": "oracle", "recall": 1.0 - MISSED}
TESTS = (CLEAN, "video_hard", "video_hard_train", "video_vanish", "video_visitors")
REFERENCE = "dreamer_clean"
PAIRS = (
    ("sd_selective", "sd_naive"),
    ("sd_few_selective", "sd_few_naive"),
    ("sd_gt", "dreamer"),
    (REFERENCE, "dreamer"),
)
"""Whose returns are subtracted, seed by seed."""
QUALITIES = tuple(f"{who}_{what}" for who in ("mask", "head") for what in ("recall", "precision"))
QUALITIES += ("mask_iou", "head_iou", "nullified")


@dataclass(frozen=True)
class Agent:
    """One line of the tables."""

    title: str
    algo: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the agent's constructor, over the preset's."""
    always_clean: bool = False
    """Whether it is trained without distraction, whatever the others are trained under."""


AGENTS = {
    REFERENCE: Agent("Dreamer*", "dreamer", always_clean=True),
    "dreamer": Agent("Dreamer", "dreamer"),
    "sd_gt": Agent("SD-GT", "sd"),
    "sd_naive": Agent("SD-approx naive", "sd", {"masks": WORSE, "selective": False}),
    "sd_selective": Agent("SD-approx selective", "sd", {"masks": WORSE}),
}
FEW = {
    "sd_few_naive": Agent("SD-approx few-shot naive", "sd", {"selective": False}),
    "sd_few_selective": Agent("SD-approx few-shot selective", "sd", {"selective": True}),
}
"""With the masks of `--weights`."""


def main() -> None:
    """Run what is missing, and print the table of what there is."""
    parser = arguments(__doc__ or "", Path("runs/sd_on_mini"))
    parser.add_argument("--weights", type=Path, help="of a segmenter, for the agents of its masks")
    parser.add_argument("--agents", nargs="+", choices=[*AGENTS, *FEW], help="default: all")
    args = parser.parse_args()
    known = {**AGENTS, **(few_shot(args.weights) if args.weights else {})}
    agents = {name: known[name] for name in args.agents or known if name in known}
    if set(args.agents or ()) - set(agents):
        parser.error(f"{', '.join(FEW)} need --weights FILE, of `train-segmenter --examples`")
    grids = plan(agents, args)
    if not args.table:
        run_grids(grids, args.jobs)
    found = {name: read_grid(grids[args.out / name], args.out / name) for name in agents}
    found = {name: records for name, records in found.items() if records}
    named = [replace(r, algo=agents[name].title) for name in found for r in found[name]]
    write_report(named, args.out, "Segmentation Dreamer on mini-reach")
    page = table(found, agents, args.train_mode)
    (args.out / "table.md").write_text(page + "\n", encoding="utf-8")
    lines = [summary(name, found, grids[args.out / name], args.out) for name in found]
    (args.out / "summary.json").write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    print(page)


def arguments(text: str, out: Path) -> argparse.ArgumentParser:
    """Return the command line that the experiments share."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--steps", type=int, help="agent steps; other than the preset's: a trial")
    parser.add_argument("--episodes", type=int, default=30, help="of each evaluation")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--train-mode", default="video_hard_train")
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--table", action="store_true", help="print what there is, train nothing")
    return parser


def few_shot(weights: Path) -> dict[str, Agent]:
    """Return the agents of `FEW` with the masks of a network's weights."""
    masks = {"name": "learned", "weights": str(weights)}
    return {
        name: replace(agent, settings={"masks": masks, **agent.settings})
        for name, agent in FEW.items()
    }


def plan(agents: Mapping[str, Agent], args: argparse.Namespace) -> dict[Path, Grid]:
    """Return the runs of every agent, by its folder."""
    return {
        args.out / name: Grid(
            "mini",
            "reach",
            (agent.algo,),
            TESTS,
            tuple(args.seeds),
            args.episodes,
            args.steps,
            checkpoint_every=2500,
            overrides=agent.settings,
            train_mode=CLEAN if agent.always_clean else args.train_mode,
        )
        for name, agent in agents.items()
    }


def table(
    found: Mapping[str, Sequence[Record]], agents: Mapping[str, Agent], train_mode: str
) -> str:
    """Return Markdown: returns by mode, shares of Dreamer*'s, and differences."""
    test = train_mode.removesuffix("_train")
    head = ["agent", *TESTS, f"{test}: share of Dreamer*, clean", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, records in found.items():
        returns = [shown(over_seeds(list(means(records, mode).values()))) for mode in TESTS]
        share = shown(ratio(found, name, test), "{:.2f}")
        seeds = str(len(means(records, test)))
        lines.append(f"| {' | '.join([agents[name].title, *returns, share, seeds])} |")
    pairs = [pair for pair in PAIRS if set(pair) <= set(found)]
    lines += ["", f"Differences under {test}, seed by seed:", ""] if pairs else []
    for one, other in pairs:
        titles = f"{agents[one].title} - {agents[other].title}"
        lines.append(f"- {titles}: {shown(difference(found, one, other, test))}")
    return "\n".join(lines)


def summary(name: str, found: Mapping[str, Sequence[Record]], grid: Grid, out: Path) -> dict:
    """Return an agent's returns, their intervals, and how good its masks were, as JSON types."""
    records = found[name]
    returns = {mode: means(records, mode) for mode in TESTS}
    folders = [grid.folder(out / name, *cell) for cell in grid.cells()]
    return {
        **{"agent": name, "train_mode": grid.train_mode, "settings": dict(grid.overrides)},
        "steps": min(record.steps for record in records),
        "returns": returns,
        "intervals": {mode: interval(list(each.values())) for mode, each in returns.items()},
        "masks": [masks_in_training(folder) for folder in folders if (folder / "logs").exists()],
    }


def interval(values: Sequence[float]) -> list[float] | None:
    """Return mean, low and high over seeds, or None where there are no two."""
    return list(over_seeds(values)) if len(values) > 1 else None


def means(records: Sequence[Record], mode: str) -> dict[int, float]:
    """Return the mean return of each seed under a mode."""
    return {r.seed: float(np.mean(r.returns)) for r in records if r.mode == mode}


def ratio(found: Mapping[str, Sequence[Record]], name: str, mode: str) -> Estimate:
    """Return an agent's return under a mode as a share of Dreamer*'s own, seed by seed."""
    return retention(*_paired(means(found[name], mode), means(found.get(REFERENCE, ()), CLEAN)))


def difference(found: Mapping[str, Sequence[Record]], one: str, other: str, mode: str) -> Estimate:
    """Return how much more an agent earns than another, seed by seed."""
    more, less = _paired(means(found[one], mode), means(found[other], mode))
    return over_seeds(np.subtract(more, less))


def _paired(ours: dict[int, float], theirs: dict[int, float]) -> tuple[list[float], list[float]]:
    seeds = sorted(set(ours) & set(theirs))
    nothing = [float("nan")]
    return [ours[s] for s in seeds] or nothing, [theirs[s] for s in seeds] or nothing


def masks_in_training(folder: Path) -> dict[str, float]:
    """Return how good a run's masks and its mask head were, over the later half of its log."""
    rows: list[dict[str, str]] = []
    for path in sorted((folder / "logs").glob("progress*.csv")):
        with path.open(newline="") as file:
            rows += list(csv.DictReader(file))
    rows.sort(key=lambda row: float(row["time/total_timesteps"]))
    later = rows[len(rows) // 2 :]
    values = {
        name: [row[f"train/{name}"] for row in later if row.get(f"train/{name}")]
        for name in QUALITIES
    }
    return {
        name: float(np.mean([float(v) for v in given])) for name, given in values.items() if given
    }


def shown(value: Estimate, form: str = "{:.1f}") -> str:
    """Write a mean with its interval, where there is one."""
    mean, low, high = (form.format(number) for number in value)
    return mean if np.isnan(value.low) else f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    main()
