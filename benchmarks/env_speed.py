"""Agent steps per second in every mode, beside the renderer's own bound, and beside peers.

    python benchmarks/env_speed.py --assets generated
    python benchmarks/env_speed.py --task cheetah_run --assets FOLDER --out speed.json
    python benchmarks/env_speed.py --cases dmcgb-video_hard@fast dcs-hard_dynamic --beside peers.py

The raw floor is dm_control alone: the control steps of one agent step and one `physics.render`.
A case is `suite-mode`, or `suite-task-mode` where the suite has other tasks, with `@quality` if it
is not the standard one; or `kind:noise` for one distraction on the clean task. `--beside` names a
Python file with a function `cases(task)` that returns `{name: object}`, each object with `dim`,
`reset()` and `step(action)`: other packages' environments, with the same task, action repeat,
picture size and stack.

All cases take turns, so that a busy machine slows all of them; the first round only warms up, and
numbers are medians over the blocks of the others. Resets of our environments go through three
seeds, whose clips have been decoded before. Memory is the peak of a process of its own that
makes the environment and plays it.
"""

from __future__ import annotations

import argparse
import json
import runpy
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.registration import env_id
from distraction_gym.wrappers import DistractionWrapper, ObserveScene, StackFrames

Times = dict[str, list[float]]
RAW = "raw floor"
SEEDS = 3
PARTS = ("physics", "render", "mask", "composite", "stack", "rest")
CASES = (
    "dmcgb-clean",
    "dmcgb-color_hard",
    "dmcgb-video_easy",
    "dmcgb-video_hard",
    "dmcgb-video_hard@fast",
    "dmcgb-video_hard@draft",
    "dmcgb2-color_hard",
    "dmcgb2-rotate_hard",
    "dmcgb2-video_hard",
    "dcs-beta_01",
    "dcs-hard_dynamic",
    "sd-video_train",
    "unitree-walk-clean",
    "unitree-walk-video_hard",
    "adroit-door-clean",
    "adroit-door-clean@fast",
    "adroit-door-video_hard",
    "arm-pegbox-clean",
    "arm-pegbox-video_hard",
    "ur5-reach-clean",
    "ur5-reach-video_hard",
)


def make(args: argparse.Namespace, case: str) -> gym.Env:
    """Build the environment of a case."""
    name, _, quality = case.partition("@")
    options = {
        "assets": args.assets,
        "render_quality": quality or "standard",
        "composite": args.composite,
        "action_repeat": args.action_repeat,
        "disable_env_checker": True,
    }
    if not name.startswith("kind:"):
        suite, *task, mode = name.split("-")
        return gym.make(env_id(suite, *(task or [args.task]), mode), **options)
    env = gym.make(env_id("dmcgb", args.task), **options)
    while not isinstance(env, DistractionWrapper):
        env = env.env
    mode = [{"kind": name.removeprefix("kind:")}]
    return StackFrames(DistractionWrapper(env.env, mode, assets=args.assets), 3)


class Case:
    """One environment under random actions."""

    def __init__(self, env: gym.Env) -> None:
        self.env = env
        self.actions = actions(env.action_space.shape[0])
        self.seed = 0
        for _ in range(SEEDS):
            self.reset()

    def reset(self) -> None:
        """Start an episode."""
        self.env.reset(seed=self.seed % SEEDS)
        self.seed += 1

    def play(self, steps: int) -> None:
        """Take agent steps."""
        for step in range(steps):
            self.env.step(self.actions[step % len(self.actions)])


class PeerCase(Case):
    """Another package's environment."""

    def __init__(self, peer: Any) -> None:
        self.env = peer
        self.actions = actions(peer.dim)
        self.reset()

    def reset(self) -> None:
        """Start an episode."""
        self.env.reset()


class RawCase(Case):
    """dm_control alone: as many control steps, and one picture."""

    def __init__(self, args: argparse.Namespace) -> None:
        from distraction_gym.envs import dmc
        from distraction_gym.envs.dmcgb import TASKS

        domain, task = dmc.split(args.task, TASKS, "dmcgb")
        self.control = dmc.load(domain, task)
        self.repeat = args.action_repeat or dmc.action_repeat_of(domain)
        self.camera = dmc.CAMERA.get(domain, 0)
        self.actions = actions(self.control.action_spec().shape[0])
        self.reset()

    def reset(self) -> None:
        """Start an episode and draw it."""
        self.control.reset()
        self.control.physics.render(84, 84, camera_id=self.camera)

    def play(self, steps: int) -> None:
        """Take agent steps."""
        for step in range(steps):
            for _ in range(self.repeat):
                self.control.step(self.actions[step % len(self.actions)])
            self.control.physics.render(84, 84, camera_id=self.camera)


def actions(size: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (64, size)).astype(np.float32)


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def take_turns(cases: dict[str, Case], args: argparse.Namespace) -> tuple[Times, Times]:
    """Return milliseconds per step and per reset: one number per case and round."""
    steps: Times = defaultdict(list)
    resets: Times = defaultdict(list)
    for round_ in range(args.rounds + 1):
        for name, case in cases.items():
            reset, play = timed(case.reset), timed(lambda case=case: case.play(args.steps))
            if round_ > 0:
                resets[name].append(1000 * reset)
                steps[name].append(1000 * play / args.steps)
    return steps, resets


def cost_split(args: argparse.Namespace, name: str, steps: int = 100) -> dict[str, float]:
    """Return milliseconds per agent step for every part of it."""
    case = Case(make(args, name))
    spent: dict[str, float] = defaultdict(float)

    def clock(part: str, owner: Any, method: str) -> None:
        inner = getattr(owner, method)

        def outer(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            result = inner(*given, **named)
            spent[part] += time.perf_counter() - start
            return result

        setattr(owner, method, outer)

    wrappers = {type(layer).__name__: layer for layer in layers(case.env)}
    drawing = next(layer for layer in wrappers.values() if isinstance(layer, ObserveScene))
    scene = drawing.scene
    clock("physics", drawing.env, "step")
    clock("render", scene, "render")
    clock("mask", scene, "background")
    clock("composite", wrappers["DistractionWrapper"], "_disturb")
    clock("stack", wrappers["StackFrames"], "_append")
    total = timed(lambda: case.play(steps))
    case.env.close()
    spent["composite"] -= spent["mask"]  # which is asked for in the middle of it
    spent["rest"] = total - sum(spent.values())
    return {part: 1000 * spent[part] / steps for part in PARTS}


def layers(env: gym.Env) -> list[gym.Env]:
    found = [env]
    while isinstance(found[-1], gym.Wrapper):
        found.append(found[-1].env)
    return found


def peak_memory(args: argparse.Namespace, name: str) -> float:
    """Return the peak resident size in MB of a process that plays one case."""
    command = [sys.executable, __file__, "--memory-of", name, "--task", args.task]
    command += ["--assets", args.assets, "--composite", args.composite]
    if args.action_repeat:
        command += ["--action-repeat", str(args.action_repeat)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def play_for_memory(args: argparse.Namespace) -> None:
    case = RawCase(args) if args.memory_of == RAW else Case(make(args, args.memory_of))
    for _ in range(5):
        case.reset()
        case.play(20)
    # Not getrusage's ru_maxrss: that of a child begins with its parent's.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def report(rows: dict[str, dict[str, Any]]) -> None:
    parts = " | ".join(PARTS)
    print(f"| case | steps/s | of raw | reset ms | peak MB | {parts} |")
    print("|---" * (5 + len(PARTS)) + "|")
    for name, row in rows.items():
        share = row["steps_per_second"] / rows[RAW]["steps_per_second"]
        split = " | ".join(
            f"{row['split_ms'][part]:.2f}" if row["split_ms"] else "" for part in PARTS
        )
        peak = f"{row['peak_mb']:.0f}" if row["peak_mb"] else ""
        print(
            f"| {name} | {row['steps_per_second']:.1f} | {share:.2f} | {row['reset_ms']:.1f} "
            f"| {peak} | {split} |"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--task", default="walker_walk")
    parser.add_argument("--cases", nargs="*", default=list(CASES), metavar="SUITE-MODE[@QUALITY]")
    parser.add_argument("--beside", type=Path, metavar="FILE", help="peers: see above")
    parser.add_argument("--assets", default="generated", help="'generated', 'auto' or a folder")
    parser.add_argument("--composite", default="exact")
    parser.add_argument("--action-repeat", type=int, help="default: the suite's own")
    parser.add_argument("--steps", type=int, default=25, help="agent steps per block")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="no memory and no split")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    peers = runpy.run_path(str(args.beside))["cases"](args.task) if args.beside else {}
    cases: dict[str, Case] = {name: PeerCase(peer) for name, peer in peers.items()}
    cases |= {RAW: RawCase(args)} | {name: Case(make(args, name)) for name in args.cases}
    steps, resets = take_turns(cases, args)
    rows = {}
    for name in cases:
        own = name in args.cases
        rows[name] = {
            "steps_per_second": 1000 / median(steps[name]),
            "step_ms": steps[name],
            "reset_ms": median(resets[name]),
            "reset_blocks_ms": resets[name],
            "peak_mb": None if args.quick or name in peers else peak_memory(args, name),
            "split_ms": cost_split(args, name) if own and not args.quick else {},
        }
    return rows


def main() -> None:
    args = parse()
    if args.memory_of:
        play_for_memory(args)
        return
    rows = measure(args)
    report(rows)
    if args.out:
        skipped = ("out", "memory_of", "beside")
        settings = {key: value for key, value in vars(args).items() if key not in skipped}
        args.out.write_text(json.dumps({"settings": settings, "cases": rows}, indent=1))


if __name__ == "__main__":
    main()
