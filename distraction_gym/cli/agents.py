"""`train`, `eval` and `record`: the life of an agent."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distraction_gym.agents import AGENTS
from distraction_gym.cli.options import (
    add_assets,
    add_env_kwargs,
    add_threads,
    env_kwargs,
    positive,
    settings,
)
from distraction_gym.errors import require
from distraction_gym.registration import parse_id

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    _add_train(commands.add_parser("train", help="train an agent into a run folder"))
    _add_eval(commands.add_parser("eval", help="measure a trained agent under several modes"))
    _add_record(commands.add_parser("record", help="film a trained agent beside its clean twin"))


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--algo", required=True, help=", ".join(AGENTS))
    parser.add_argument("--env", required=True, metavar="ID", help="see `distraction-gym list`")
    parser.add_argument(
        "-n", "--steps", type=positive, help="agent steps in all (default: the preset's)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/ALGO-ENV-sSEED")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint, if there is one"
    )
    parser.add_argument("--checkpoint-every", type=positive, default=10_000, metavar="STEPS")
    parser.add_argument("--eval-every", type=int, default=0, metavar="STEPS", help="0: never")
    parser.add_argument("--eval-modes", nargs="+", default=["clean", "video_hard"], metavar="MODE")
    parser.add_argument("--eval-episodes", type=positive, default=10)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of the agent, its value in JSON; dots reach inside; may be repeated",
    )
    parser.add_argument("--n-envs", type=positive, help="environments at once")
    parser.add_argument("--progress", choices=("bar", "lines", "none"), default="bar")
    add_assets(parser)
    add_env_kwargs(parser)
    add_threads(parser)
    parser.set_defaults(run=_train)


def _add_eval(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--modes", nargs="+", required=True, metavar="MODE")
    parser.add_argument("--episodes", type=positive, default=30, help="per mode (default: 30)")
    parser.set_defaults(run=_eval)


def _add_record(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--mode", default="video_hard")
    parser.add_argument("--out", type=Path, required=True, metavar="MP4")
    parser.add_argument("--episodes", type=positive, default=1)
    parser.add_argument("--size", type=positive, default=192, help="height of a panel, pixels")
    parser.set_defaults(run=_record)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="a run folder")
    parser.add_argument("--seed", type=int, help="default: the run's seed plus 42")
    parser.add_argument(
        "--assets", metavar="DIR", help="a folder, 'generated' or 'auto' (default: the run's)"
    )
    add_threads(parser)


def _train(args: argparse.Namespace) -> None:
    require("stable_baselines3", "agents")
    from distraction_gym.bench.training import Habits, configure, train

    config = configure(
        args.algo,
        args.env,
        steps=args.steps,
        overrides=settings(args.set),
        n_envs=args.n_envs,
        seed=args.seed,
        assets=args.assets,
        env_kwargs=env_kwargs(args),
    )
    habits = Habits(
        checkpoint_every=args.checkpoint_every,
        eval_every=args.eval_every,
        eval_modes=tuple(args.eval_modes),
        eval_episodes=args.eval_episodes,
        progress=args.progress,
        device=args.device,
        threads=args.threads,
    )
    name = parse_id(config.env)
    for mode in args.eval_modes if args.eval_every else ():  # before the steps up to them
        name.with_mode(mode)
    out = args.out or Path("runs", f"{config.algo}-{name.suite}-{name.task}-s{config.seed}")
    print(f"trained: {train(config, out, habits, go_on=args.resume)}")


def _load(args: argparse.Namespace) -> tuple[Any, Any]:
    require("stable_baselines3", "agents")
    import torch

    from distraction_gym.bench.runs import load_model, read_config

    if args.threads:
        torch.set_num_threads(args.threads)
    return load_model(args.model, args.device), read_config(args.model)


def _eval(args: argparse.Namespace) -> None:
    model, run = _load(args)
    from distraction_gym.bench import records
    from distraction_gym.bench.evaluate import evaluate
    from distraction_gym.bench.report import return_table
    from distraction_gym.bench.summary import summarize

    for mode in args.modes:  # a misspelt one must not cost the episodes before it
        parse_id(run.env).with_mode(mode)
    measured = []
    for mode in args.modes:
        measured.append(evaluate(model, run, mode, args.episodes, args.assets, args.seed))
        records.append(args.model / records.FILE, measured[-1])
    print(return_table(summarize(measured)))


def _record(args: argparse.Namespace) -> None:
    model, run = _load(args)
    from distraction_gym.bench.film import film

    played = film(
        model,
        run,
        args.mode,
        args.out,
        episodes=args.episodes,
        seed=args.seed,
        assets=args.assets,
        size=args.size,
    )
    print(f"{args.out}: returns {', '.join(f'{value:.1f}' for value in played.returns)}")
