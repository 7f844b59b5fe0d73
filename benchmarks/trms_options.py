"""What TRMS's options beyond the paper do on mini-reach: each against the preset.

    python benchmarks/trms_options.py --out runs/trms_options
    python benchmarks/trms_options.py --options preset propagated --seeds 1 2 3 --jobs 2
    python benchmarks/trms_options.py --table

| option | over the preset |
|---|---|
| `preset` | nothing: every frame is segmented, k and teach_steps are numbers |
| `propagated` | every fourth frame is segmented, its masks follow the optical flow in between |
| `auto_k` | `k="auto"`: as many masks as the environment's frames need |
| `auto_teach` | `teach_steps="auto"`: until the student's agreement with the teacher has settled |

Agents learn in clean pictures. Runs are those of `distraction-gym bench run`, in OUT/OPTION: what
has a record is not run again, and a killed run goes on from its last checkpoint. Steps per second
are those of training while it teaches; they are to be compared where runs had the machine to
themselves, one at a time. Masks are looked at when a run has ended: in the frames of random play,
the same for all runs, the teacher's in their order, as it taught. IoU is with the oracle's
foreground, agreement between student and teacher, masks cut at one half, means over frames. OUT
gets table.md and options.json: means over seeds with their 95 % intervals.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from sd_on_mini import interval, means, shown

from distraction_gym import env_id
from distraction_gym.agents.madi.overlap import overlap
from distraction_gym.agents.trms.planes import frames_of
from distraction_gym.agents.trms.teacher import Teacher
from distraction_gym.bench.grid import CLEAN, Grid, read_grid, run_grids
from distraction_gym.bench.runs import MODEL, load_model
from distraction_gym.bench.segmenters import HELD_OUT_SEED
from distraction_gym.bench.stats import over_seeds
from distraction_gym.wrappers import AddForegroundMask

HARD = "video_hard"
TESTS = (CLEAN, HARD)
FOLLOWING = {"name": "propagated", "segmenter": "superpixel", "every": 4}
OPTIONS: dict[str, dict[str, Any]] = {
    "preset": {},
    "propagated": {"segmenter": FOLLOWING},
    "auto_k": {"k": "auto"},
    "auto_teach": {"teach_steps": "auto"},
}
COLUMNS = {
    "return_clean": ("return, clean", "{:.1f}"),
    "return_video_hard": ("return, video_hard", "{:.1f}"),
    "steps_per_second": ("steps/s, teaching", "{:.0f}"),
    "taught_until": ("taught until step", "{:.0f}"),
    "k": ("k", "{:.1f}"),
    "teacher_iou": ("teacher's IoU", "{:.2f}"),
    "student_iou": ("student's IoU", "{:.2f}"),
    "student_iou_video_hard": ("student's IoU, video_hard", "{:.2f}"),
    "agreement": ("agreement", "{:.2f}"),
}
Values = dict[str, float]


class Lesson(NamedTuple):
    """One line of a run's log from the time when it taught."""

    since: int
    """Step at which this part of the run began: 0, or that of the checkpoint it went on from."""
    step: int
    seconds: float
    """Since then."""


def main() -> None:
    """Run what is missing, and print the table of what there is."""
    args = parsed()
    grids = {args.out / name: grid(OPTIONS[name], args) for name in args.options}
    if not args.table:
        run_grids(grids, args.jobs)
    found = {out.name: measured(grid, out, args.frames) for out, grid in grids.items()}
    found = {name: runs for name, runs in found.items() if runs}
    page = table(found)
    (args.out / "table.md").write_text(page + "\n", encoding="utf-8")
    lines = [summary(name, runs) for name, runs in found.items()]
    (args.out / "options.json").write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    print(page)


def grid(settings: dict[str, Any], args: argparse.Namespace) -> Grid:
    """Return the runs of an option."""
    return Grid(
        "mini",
        "reach",
        ("trms",),
        TESTS,
        tuple(args.seeds),
        args.episodes,
        args.steps,
        device="cpu",
        checkpoint_every=2500,
        overrides=settings,
    )


def measured(grid: Grid, out: Path, frames: int) -> dict[int, Values]:
    """Return what there is to say of each run that has ended, by its seed."""
    records = read_grid(grid, out)
    returns = {mode: means(records, mode) for mode in TESTS}
    found = {}
    for algo, seed in grid.cells():
        folder = grid.folder(out, algo, seed)
        if (folder / MODEL).exists() and all(seed in each for each in returns.values()):
            earned = {f"return_{mode}": each[seed] for mode, each in returns.items()}
            model = load_model(folder, "cpu")
            found[seed] = {**earned, **teaching(folder), "k": model.k, **looks(model, frames)}
    return found


def teaching(folder: Path) -> Values:
    """Return how fast a run learned while it taught, and until when, as its log tells."""
    lessons = logged(folder)
    pairs = [(a, b) for a, b in pairwise(lessons) if a.since == b.since]
    seconds = sum(b.seconds - a.seconds for a, b in pairs)
    speed = sum(b.step - a.step for a, b in pairs) / seconds if seconds else float("nan")
    until = lessons[-1].step if lessons else 0
    return {"steps_per_second": speed, "taught_until": until}


def logged(folder: Path) -> list[Lesson]:
    """Return the log's lines with an agreement; what a resumed run did again counts once."""
    files = {
        int(path.stem.rpartition("_from_")[2]) if "_from_" in path.stem else 0: path
        for path in (folder / "logs").glob("progress*.csv")
    }
    lessons: list[Lesson] = []
    for since, path in sorted(files.items()):
        lessons = [lesson for lesson in lessons if lesson.step <= since]
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row.get("train/student_iou"):
                    step, seconds = row["time/total_timesteps"], row["time/time_elapsed"]
                    lessons.append(Lesson(since, int(step), float(seconds)))
    return lessons


def looks(model: Any, frames: int) -> Values:
    """Return how well masks agree with what matters, and with each other."""
    teacher = Teacher(model.segmenter, model.k, cached=False)
    ious: dict[str, list[float]] = {
        name: [] for name in ("teacher_iou", "student_iou", "agreement")
    }
    for obs, planes, truth in lessons_again(teacher, frames):
        with torch.no_grad():
            taught = model.extras["sampler"](planes).mask[0, 0].numpy()
        learned = model.explain(obs)[0].numpy()
        ious["teacher_iou"].append(overlap(taught, truth, 0.5))
        ious["student_iou"].append(overlap(learned, truth, 0.5))
        ious["agreement"].append(overlap(learned, taught > 0.5, 0.5))
    hard = [
        overlap(model.explain(o)[0].numpy(), truth, 0.5) for o, truth, _ in played(HARD, frames)
    ]
    found = {name: float(np.mean(values)) for name, values in ious.items()}
    return {**found, "student_iou_video_hard": float(np.mean(hard))}


def lessons_again(teacher: Teacher, frames: int) -> Iterator[tuple[Any, torch.Tensor, Any]]:
    """Yield clean observations, the planes `(1, k, H, W)` of their newest frames, and the truth."""
    stack: Any = None
    for obs, truth, first in played(CLEAN, frames):
        before, stack = stack, frames_of(obs[None])
        masks = teacher.look(stack) if first else teacher.step(before, stack, [False])[1]
        yield obs, torch.from_numpy(masks[:, -1]).float(), truth


def played(mode: str, frames: int) -> Iterator[tuple[Any, Any, bool]]:
    """Yield observations of random play, the oracle's foreground, and whether an episode begins."""
    env = AddForegroundMask(gym.make(env_id("mini", "reach", mode)))
    env.action_space.seed(HELD_OUT_SEED)
    obs, info = env.reset(seed=HELD_OUT_SEED)
    first = True
    for _ in range(frames):
        yield obs, info["foreground"], first
        obs, _, terminated, truncated, info = env.step(env.action_space.sample())
        first = terminated or truncated
        if first:
            obs, info = env.reset()
    env.close()


def table(found: dict[str, dict[int, Values]]) -> str:
    """Return Markdown: a row for each option, means over seeds with their intervals."""
    head = ["option", *(title for title, _ in COLUMNS.values()), "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, runs in found.items():
        cells = [
            shown(over_seeds([values[key] for values in runs.values()]), form)
            for key, (_, form) in COLUMNS.items()
        ]
        lines.append(f"| {' | '.join([name, *cells, str(len(runs))])} |")
    return "\n".join(lines)


def summary(name: str, runs: dict[int, Values]) -> dict[str, Any]:
    """Return an option's runs and their intervals, as JSON types."""
    intervals = {key: interval([values[key] for values in runs.values()]) for key in COLUMNS}
    return {"option": name, "settings": OPTIONS[name], "runs": runs, "intervals": intervals}


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--options", nargs="+", default=list(OPTIONS), choices=OPTIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--steps", type=int, help="agent steps; other than the preset's: a trial")
    parser.add_argument("--episodes", type=int, default=30, help="of each evaluation")
    parser.add_argument("--frames", type=int, default=200, help="in which masks are looked at")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--out", type=Path, default=Path("runs/trms_options"))
    parser.add_argument("--table", action="store_true", help="print what there is, train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
