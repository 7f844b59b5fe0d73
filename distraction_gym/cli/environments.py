"""`list` and `show`: which environments there are, and what one is made of."""

from __future__ import annotations

import argparse
import inspect
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from distraction_gym.cli.options import OptionError, add_assets, add_env_kwargs, env_kwargs
from distraction_gym.errors import AssetsMissing
from distraction_gym.registration import SUITES, EnvName, env_id, parse_id

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands

PREVIEW_SIZE = 240
PREVIEW_STEPS = (0, 5, 10, 15)


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("list", help="list the environment IDs")
    parser.add_argument("--suite", help="only this suite")
    parser.add_argument("--kinds", action="store_true", help="list kinds of distractions instead")
    parser.set_defaults(run=_list)
    parser = commands.add_parser("show", help="say what an environment is made of")
    parser.add_argument("id", help="an environment ID, with or without 'distraction_gym/'")
    parser.add_argument("--preview", metavar="PNG", type=Path, help="draw a few of its frames")
    parser.add_argument("--seed", type=int, default=0, help="seed of the preview")
    add_assets(parser)
    add_env_kwargs(parser)
    parser.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> None:
    if args.kinds:
        _list_kinds()
        return
    suites = [SUITES[args.suite]] if args.suite else list(SUITES.values())
    for suite in suites:
        for task in suite.tasks:
            for mode in suite.modes:
                print(env_id(suite.name, task, mode))


def _list_kinds() -> None:
    from distraction_gym.distractions import DISTRACTIONS

    for name, kind in sorted(DISTRACTIONS.items()):
        summary = (kind.__doc__ or "").strip().partition("\n")[0]
        arguments = inspect.signature(kind).parameters.values()
        defaults = ", ".join(f"{item.name}={item.default!r}" for item in arguments)
        print(f"{name}({defaults})\n    {summary}")


def _show(args: argparse.Namespace) -> None:
    name = parse_id(args.id)
    print(name)
    print(f"  suite {name.suite}, task {name.task}, mode {name.mode}")
    env = _make(name, args)
    try:
        _print_pipeline(env)
        _print_env(env)
        if args.preview:
            _preview(env, args.preview, args.seed)
            print(f"  preview: {args.preview}")
    finally:
        env.close()


def _make(name: EnvName, args: argparse.Namespace) -> gym.Env:
    """Make the environment, with generated footage where its own is not on this machine."""
    options = {**env_kwargs(args), "disable_env_checker": True}
    try:
        return gym.make(str(name), assets=args.assets, **options)
    except AssetsMissing as error:
        print("  footage: missing, and shown with generated clips below")
        print(textwrap.indent(str(error), "    "))
        return gym.make(str(name), assets="generated", **options)
    except TypeError as error:
        if not args.env_set:
            raise
        raise OptionError(f"--env-set: {error}") from error


def _print_pipeline(env: gym.Env) -> None:
    """Print the distractions in their order, every argument written out, and count the clips."""
    from distraction_gym.assets.store import clips
    from distraction_gym.distractions.modes import resolve

    given = next(kwargs for _, kwargs in _chain(env) if "mode" in kwargs)
    pipeline = resolve(given["mode"], assets=given["assets"], composite=given["composite"])
    print("  distractions, in this order:" if pipeline else "  distractions: none")
    for item in pipeline:
        print(f"    {json.dumps(item)}")
        if "pack" in item:
            print(f"      {len(clips(item['pack'], item['assets']))} clips")


def _print_env(env: gym.Env) -> None:
    print(f"  observation: {_space(env.observation_space)}")
    print(f"  action: {_space(env.action_space)}")
    chain = list(_chain(env))
    for layer, kwargs in reversed(chain):
        arguments = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
        print(f"  {'' if layer is chain[-1][0] else '-> '}{type(layer).__name__}({arguments})")
    repeat = next((kw["repeat"] for _, kw in chain if "repeat" in kw), 1)
    limit = next((kw["max_episode_steps"] for _, kw in chain if "max_episode_steps" in kw), None)
    print(f"  action repeat: {repeat}; time limit: {limit} agent steps")


def _space(space: gym.Space) -> str:
    if isinstance(space, gym.spaces.Box):
        low, high = space.low.min(), space.high.max()
        return f"{space.dtype} {space.shape}, {low} to {high}"
    return str(space)


def _chain(env: gym.Env) -> list[tuple[gym.Env, dict[str, Any]]]:
    """Return the wrappers from the outermost to the environment, with their arguments."""
    layers = []
    while True:
        kwargs = getattr(env, "_saved_kwargs", {})
        layers.append((env, {} if kwargs is None else dict(kwargs)))
        if not isinstance(env, gym.Wrapper):
            return layers
        env = env.env


def _preview(env: gym.Env, path: Path, seed: int) -> None:
    import cv2

    from distraction_gym.wrappers.record import newest_frame
    from distraction_gym.wrappers.video import side_by_side

    env.action_space.seed(seed)
    obs, _ = env.reset(seed=seed)
    frames = {}
    for step in range(max(PREVIEW_STEPS) + 1):
        if step in PREVIEW_STEPS:
            frames[f"step {step}"] = newest_frame(np.asarray(obs))
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            obs, _ = env.reset()
    page = side_by_side(frames, str(env.spec.id) if env.spec else "", PREVIEW_SIZE)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise OSError(f"cannot write {path}: expected a name that ends in .png or .jpg")
    if not cv2.imwrite(str(path), cv2.cvtColor(page, cv2.COLOR_RGB2BGR)):
        raise OSError(f"cannot write {path}")
