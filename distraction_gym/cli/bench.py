"""`bench run`, `report` and `demo`: the evidence."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from distraction_gym.cli.options import add_assets, positive, settings
from distraction_gym.errors import require

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands

MODES = ("clean", "color_hard", "video_easy", "video_hard")


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    bench = commands.add_parser("bench", help="train and measure a grid of runs")
    _add_run(bench.add_subparsers(dest="action", metavar="ACTION", required=True))
    report = commands.add_parser("report", help="tables and a plot from records")
    report.add_argument("folder", type=Path, help="where records lie, at any depth")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the same folder")
    report.add_argument("--title", default="Returns")
    report.set_defaults(run=_report)
    demo = commands.add_parser("demo", help="SAC against MaDi on mini-reach, in minutes")
    demo.add_argument("--out", type=Path, default=Path("runs", "demo"), metavar="DIR")
    demo.add_argument("--jobs", type=positive, default=2, help="processes at once (default: 2)")
    demo.add_argument("-n", "--steps", type=positive, help="of training (default: 16000)")
    demo.add_argument("--episodes", type=positive, default=30, help="per mode (default: 30)")
    demo.set_defaults(run=_demo)


def _add_run(actions: Commands) -> None:
    parser = actions.add_parser("run", help="run what has no records yet, then write the report")
    parser.add_argument("--suite", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--algos", nargs="+", metavar="ALGO", help="default: every agent")
    parser.add_argument("--modes", nargs="+", default=list(MODES), metavar="MODE")
    parser.add_argument("--train-mode", default="clean", metavar="MODE", help="(default: clean)")
    parser.add_argument("--seeds", type=positive, default=5, help="how many (default: 5)")
    parser.add_argument("--first-seed", type=int, default=0, help="(default: 0)")
    parser.add_argument("--episodes", type=positive, default=30, help="per mode (default: 30)")
    parser.add_argument("-n", "--steps", type=positive, help="default: the presets'")
    parser.add_argument("--jobs", type=positive, default=1, help="processes at once (default: 1)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--checkpoint-every", type=positive, default=10_000, metavar="STEPS")
    parser.add_argument("--out", type=Path, default=Path("runs", "bench"), metavar="DIR")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of every agent, its value in JSON; may be repeated",
    )
    add_assets(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    require("stable_baselines3", "agents")
    from distraction_gym.agents import AGENTS
    from distraction_gym.bench.grid import Grid, run_grid
    from distraction_gym.bench.report import write_report

    grid = Grid(
        suite=args.suite,
        task=args.task,
        algos=tuple(args.algos or AGENTS),
        modes=tuple(args.modes),
        seeds=tuple(range(args.first_seed, args.first_seed + args.seeds)),
        episodes=args.episodes,
        steps=args.steps,
        assets=args.assets,
        device=args.device,
        checkpoint_every=args.checkpoint_every,
        overrides=settings(args.set),
        train_mode=args.train_mode,
    )
    records = run_grid(grid, args.out, args.jobs)
    _print_report(write_report(records, args.out, f"{args.suite}: {args.task}"))


def _report(args: argparse.Namespace) -> None:
    from distraction_gym.bench import records
    from distraction_gym.bench.report import write_report

    found = records.read(args.folder)
    _print_report(write_report(found, args.out or args.folder, args.title))


def _demo(args: argparse.Namespace) -> None:
    require("stable_baselines3", "agents")
    from distraction_gym.bench.demo import demo

    _print_report(demo(args.out, args.jobs, args.steps, args.episodes))


def _print_report(files: list[Path]) -> None:
    page = next(path for path in files if path.suffix == ".md")
    lines = page.read_text("utf-8").splitlines()
    tables = [line for line in lines if line.startswith(("|", "## ")) or line.endswith(":")]
    print("\n".join(tables))
    print("wrote:", *files, sep="\n  ")
