"""Many environments: memory of each further one in a process, and the speed of vector environments.

    python benchmarks/env_scaling.py --assets FOLDER
    python benchmarks/env_scaling.py --name dmcgb-walker_walk-video_hard-v0 --envs 16 --workers 2

Memory is the resident size of a process of its own after every environment has played a few steps
(one clip each). Speed is agent steps per second of all environments together; one environment and
the vector environments take turns, and numbers are medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

import distraction_gym


def make(args: argparse.Namespace) -> gym.Env:
    return gym.make(args.name, assets=args.assets, disable_env_checker=True)


def resident() -> float:
    """Return the resident size of this process in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def memory(args: argparse.Namespace) -> list[float]:
    """Return the resident size after 1, 2, ... environments, measured in this process."""
    sizes, envs = [], []
    for seed in range(args.envs):
        envs.append(make(args))
        envs[-1].reset(seed=seed)
        for _ in range(5):
            envs[-1].step(envs[-1].action_space.sample())
        sizes.append(resident())
    return sizes


def player(env: Any, count: int, steps: int) -> Callable[[], float]:
    """Return a function that plays and returns the agent steps per second of `count`."""
    obs = env.reset()
    batched = isinstance(obs, np.ndarray)  # Stable-Baselines3's, whose space is of one action
    shape = (count, *env.action_space.shape) if batched else env.action_space.shape
    rng = np.random.default_rng(0)

    def play() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            env.step(rng.uniform(-1, 1, shape).astype(np.float32))
        return count * steps / (time.perf_counter() - start)

    return play


def speed(args: argparse.Namespace) -> dict[str, float]:
    """Return agent steps per second: of one environment, and of each kind of vector environment."""
    from stable_baselines3.common.vec_env import SubprocVecEnv

    vector = gym.make_vec(
        args.name,
        num_envs=args.workers,
        vectorization_mode="async",
        vector_kwargs={"context": "spawn", "shared_memory": True},
        assets=args.assets,
    )
    workers = SubprocVecEnv([lambda: make(args)] * args.workers, start_method="spawn")
    players = {
        "one environment": player(make(args), 1, args.steps),
        f"AsyncVectorEnv, {args.workers}": player(vector, args.workers, args.steps),
        f"SubprocVecEnv, {args.workers}": player(workers, args.workers, args.steps),
    }
    rates: dict[str, list[float]] = {name: [] for name in players}
    for round_ in range(args.rounds + 1):
        for name, play in players.items():
            rate = play()
            if round_ > 0:
                rates[name].append(rate)
    return {name: median(values) for name, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    name = distraction_gym.env_id("dmcgb", "walker_walk", "video_hard")
    parser.add_argument("--name", default=name)
    parser.add_argument("--assets", default="generated")
    parser.add_argument("--envs", type=int, default=16, help="in one process, for memory")
    parser.add_argument("--workers", type=int, default=2, help="processes, for speed")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        print(json.dumps(memory(args)))
        return
    command = [sys.executable, __file__, "--memory", *sys.argv[1:]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    sizes = json.loads(done.stdout.splitlines()[-1])
    print(f"memory: {sizes[0]:.0f} MB with one environment, {sizes[-1]:.0f} MB with {args.envs}")
    print(f"each further one: {(sizes[-1] - sizes[0]) / max(args.envs - 1, 1):.1f} MB")
    rates = speed(args)
    alone = rates["one environment"]
    for label, rate in rates.items():
        print(f"{label}: {rate:.1f} agent steps/s, {rate / alone:.2f} times one environment")


if __name__ == "__main__":
    main()
