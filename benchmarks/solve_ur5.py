"""Measure how well the simulated UR5's task can be done: a servo that knows where the disc is.

python benchmarks/solve_ur5.py --seeds 10
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np

import distraction_gym  # noqa: F401  registers the IDs
from distraction_gym.envs.ur5.kinematics import ARMS

POLICIES = {
    "servo": lambda env: env.unwrapped.expert(),
    "random": lambda env: env.action_space.sample(),
}


def play(env: gym.Env, policy: str, seed: int) -> float:
    """Return the return of one episode."""
    env.reset(seed=seed)
    env.action_space.seed(seed)
    total, over = 0.0, False
    while not over:
        _, reward, _, over, _ = env.step(POLICIES[policy](env))
        total += float(reward)
    return total


def main() -> None:
    """Print one line per robot and policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    for robot in ARMS:
        name = "distraction_gym/ur5-reach-clean-v0"
        env = gym.make(name, robot=robot, image_size=8, disable_env_checker=True)
        for policy in POLICIES:
            found = np.array([play(env, policy, seed) for seed in range(seeds)])
            low, mean, high = found.min(), found.mean(), found.max()
            print(f"{robot:5} {policy:7} {mean:6.1f} ({low:.1f} to {high:.1f})", flush=True)
        env.close()


if __name__ == "__main__":
    main()
