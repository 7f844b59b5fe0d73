"""Agent steps per second of DMC-GB in every mode, beside the renderer's own bound.

    python benchmarks/env_speed.py --assets generated
    python benchmarks/env_speed.py --task cheetah_run --assets FOLDER --out speed.json

The raw floor is dm_control alone: the control steps of one agent step and one `physics.render`.
All cases take turns, so that a busy machine slows all of them; the first round only warms up, and
numbers are medians over the blocks of the others. Memory is the peak of a process of its own that
makes the environment and plays it.
"""

from __future__ import annotations

import argparse
import json
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

from distraction_gym.envs.dmcgb import SUITE
from distraction_gym.registration import env_id

Times = dict[str, list[float]]
RAW = "raw floor"
PARTS = ("physics", "render", "mask", "composite", "stack", "rest")


def make(args: argparse.Namespace, mode: str) -> gym.Env:
    options = {"assets": args.assets, "render_quality": args.quality, "composite": args.composite}
    return gym.make(env_id("dmcgb", args.task, mode), disable_env_checker=True, **options)


class Case:
    """One environment under random actions."""

    def __init__(self, env: gym.Env) -> None:
        self.env = env
        self.actions = np.random.default_rng(0).uniform(-1, 1, (64, *env.action_space.shape))
        self.reset()

    def reset(self) -> None:
        """Start an episode."""
        self.env.reset()

    def play(self, steps: int) -> None:
        """Take agent steps."""
        for step in range(steps):
            self.env.step(self.actions[step % 64].astype(np.float32))


class RawCase(Case):
    """dm_control alone: as many control steps, and one picture."""

    def __init__(self, args: argparse.Namespace) -> None:
        from distraction_gym.envs.dmcgb import env as dmcgb

        self.domain, task = dmcgb._split(args.task)
        self.control = dmcgb.suite.load(self.domain, task, task_kwargs={"time_limit": 1e6})
        self.repeat = dmcgb.ACTION_REPEAT.get(self.domain, dmcgb.DEFAULT_ACTION_REPEAT)
        self.camera = dmcgb.CAMERA.get(self.domain, 0)
        shape = self.control.action_spec().shape
        self.actions = np.random.default_rng(0).uniform(-1, 1, (64, *shape))
        self.reset()

    def reset(self) -> None:
        """Start an episode and draw it."""
        self.control.reset()
        self.control.physics.render(84, 84, camera_id=self.camera)

    def play(self, steps: int) -> None:
        """Take agent steps."""
        for step in range(steps):
            for _ in range(self.repeat):
                self.control.step(self.actions[step % 64])
            self.control.physics.render(84, 84, camera_id=self.camera)


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


def cost_split(args: argparse.Namespace, mode: str, steps: int = 100) -> dict[str, float]:
    """Return milliseconds per agent step for every part of it."""
    case = Case(make(args, mode))
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
    scene = case.env.get_wrapper_attr("scene")
    clock("physics", wrappers["ActionRepeat"], "step")
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


def peak_memory(args: argparse.Namespace, mode: str) -> float:
    """Return the peak resident size in MB of a process that plays one mode."""
    command = [sys.executable, __file__, "--memory-of", mode, "--task", args.task]
    command += ["--assets", args.assets, "--quality", args.quality, "--composite", args.composite]
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
    head = f"{'':12} {'steps/s':>8} {'of raw':>7} {'reset ms':>9} {'peak MB':>8}  "
    print(head + " ".join(f"{part:>9}" for part in PARTS) + "  ms per step")
    for name, row in rows.items():
        share = row["steps_per_second"] / rows[RAW]["steps_per_second"]
        line = f"{name:12} {row['steps_per_second']:8.1f} {share:7.2f} {row['reset_ms']:9.1f}"
        split = " ".join(f"{row['split_ms'].get(part, float('nan')):9.2f}" for part in PARTS)
        print(f"{line} {row['peak_mb']:8.0f}  {split if row['split_ms'] else ''}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--task", default="walker_walk")
    parser.add_argument("--assets", default="generated", help="'generated', 'auto' or a folder")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--composite", default="exact")
    parser.add_argument("--steps", type=int, default=25, help="agent steps per block")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.memory_of:
        play_for_memory(args)
        return
    cases: dict[str, Case] = {RAW: RawCase(args)}
    cases |= {mode: Case(make(args, mode)) for mode in SUITE.modes}
    steps, resets = take_turns(cases, args)
    rows = {
        name: {
            "steps_per_second": 1000 / median(steps[name]),
            "step_ms": steps[name],
            "reset_ms": median(resets[name]),
            "peak_mb": peak_memory(args, name),
            "split_ms": {} if name == RAW else cost_split(args, name),
        }
        for name in cases
    }
    report(rows)
    if args.out:
        settings = {
            key: value for key, value in vars(args).items() if key not in ("out", "memory_of")
        }
        args.out.write_text(json.dumps({"settings": settings, "cases": rows}, indent=1))


if __name__ == "__main__":
    main()
