"""What Segmentation Dreamer costs beside Dreamer, in time and memory.

    python benchmarks/sd_overhead.py --updates 20
    python benchmarks/sd_overhead.py --sizes paper --device cuda --updates 100

Dreamer, SD-GT, and SD-approx with naive and selective L2 learn from mini-reach at 64 x 64, in one
process and turn by turn, so that a busy machine slows all alike:

- an update, one of each in turn;
- acting, a `predict` of each in turn: the networks that act are the same;
- a step of collecting with random actions: the environment, for SD its masks, and storing. SD-GT's
  masks are the scene's own; those of SD-approx are made worse as well, which takes the place of a
  segmenter: what yours takes comes on top (`segmenter_speed.py`).

Numbers are medians, and ratios of medians to Dreamer's. Memory: parameters, bytes that a step takes
in the replay buffer (a mask has a bit for each pixel, and there are two where the log compares them
with the truth), and the peak of a process, or on a GPU of what was allocated, that makes some
updates alone with a buffer of `--buffer` steps.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.env_util import make_vec_env
from update_speed import peak

from distraction_gym import env_id
from distraction_gym.agents import SD, Dreamer
from distraction_gym.wrappers import AddForegroundMask

WORSE = {"name": "degraded", "segmenter": "oracle", "recall": 0.7}
AGENTS: dict[str, tuple[type[Dreamer], dict[str, Any]]] = {
    "Dreamer": (Dreamer, {}),
    "SD-GT": (SD, {}),
    "SD-approx naive": (SD, {"masks": WORSE, "selective": False}),
    "SD-approx selective": (SD, {"masks": WORSE}),
}
SIZES: dict[str, dict[str, Any]] = {
    "mini": {
        "batch_size": 8,
        "batch_length": 16,
        "policy_kwargs": {
            **{"deter": 128, "stoch": 8, "classes": 8, "hidden": 128, "units": 128, "depth": 8}
        },
    },
    "small": {"batch_size": 4, "batch_length": 16},
    "paper": {"batch_size": 16, "batch_length": 64},
}
STEPS = 200
"""Collected before anything is measured."""
ROUNDS = {"update": 1, "act": 20, "collect": 2}
"""Turns of each kind of work for every update that is asked for."""


def main() -> None:
    """Measure, and print a table for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["mini", "small"], choices=SIZES)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--buffer", type=int, default=10_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for size in args.sizes:
        print(f"{size}, {args.device}, {args.threads} threads, {args.updates} updates of each\n")
        print(table(measure(size, args)), flush=True)


def build(name: str, size: str, args: argparse.Namespace) -> Dreamer:
    """Return an agent with some steps in its buffer, which has not learned anything yet."""

    def env() -> gym.Env:
        plain = gym.make(env_id("mini", "reach", "video_hard_train"), image_size=64)
        return plain if name == "Dreamer" else AddForegroundMask(plain)

    cls, settings = AGENTS[name]
    fixed = {"learning_starts": 10**9, "draw_every": 0, "seed": 0, "device": args.device}
    model = cls(
        "CnnPolicy",
        make_vec_env(env, 1),
        **{**fixed, "buffer_size": args.buffer, **SIZES[size], **settings},
    )
    return model.learn(STEPS)


def update(model: Dreamer) -> None:
    """Make one update, and wait for it."""
    model._update(model._sample(model.batch_size))
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def act(model: Dreamer) -> None:
    """Choose an action from a picture."""
    assert model.env is not None
    model.predict(np.zeros((1, *model.observation_space.shape), np.uint8))  # type: ignore[misc]


def collect(model: Dreamer) -> None:
    """Take 25 steps: an episode."""
    model.learn(25, reset_num_timesteps=False)


def measure(size: str, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return seconds and sizes of every agent."""
    models = {name: build(name, size, args) for name in AGENTS}
    rows: dict[str, dict[str, float]] = {name: {} for name in AGENTS}
    works: dict[str, Callable[[Dreamer], None]] = {"update": update, "act": act, "collect": collect}
    for column, work in works.items():
        for name, seconds in in_turns(models, work, args.updates * ROUNDS[column]).items():
            rows[name][column] = seconds / (25 if column == "collect" else 1)
    context = multiprocessing.get_context("spawn")
    for name, model in models.items():
        rows[name]["parameters"] = sum(p.numel() for p in model.policy.parameters())
        rows[name]["step"] = bytes_of_a_step(model)
        with context.Pool(1) as pool:
            rows[name]["peak"] = pool.apply(alone, (name, size, args))
    return rows


def in_turns(
    models: dict[str, Dreamer], work: Callable[[Dreamer], None], rounds: int
) -> dict[str, float]:
    """Return the median of the seconds that each model's turns take; the first is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            work(model)
            taken[name].append(time.perf_counter() - start)
    return {name: median(seconds[1:]) for name, seconds in taken.items()}


def bytes_of_a_step(model: Dreamer) -> float:
    """Return what a step takes in the replay buffer."""
    replay = model.replay_buffer
    arrays = [*replay.planes.values(), replay.actions, replay.rewards]
    arrays += [replay.terminals, replay.firsts]
    return sum(array.nbytes for array in arrays) / (replay.ring * replay.n_envs)


def alone(name: str, size: str, args: argparse.Namespace) -> float:
    """Return the peak of a process that makes a few updates, in MB."""
    torch.set_num_threads(args.threads)
    model = build(name, size, args)
    for _ in range(3):
        update(model)
    return peak(args.device)


def table(rows: dict[str, dict[str, float]]) -> str:
    """Return Markdown."""
    base = rows["Dreamer"]
    head = ["agent", "updates/s", "acts/s", "steps collected/s", "million parameters"]
    head += ["bytes of a step", "peak, MB"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        cells = [f"{1 / row[key]:.1f} ({base[key] / row[key]:.2f} x)" for key in ROUNDS]
        cells += [f"{row['parameters'] / 1e6:.2f}", f"{row['step']:,.0f}"]
        lines.append(f"| {' | '.join([name, *cells, format(row['peak'], ',.0f')])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
