"""Can the arm's tasks be done? Success and return of each task's own expert, in `clean`.

python benchmarks/solve_arm.py --episodes 40
"""

from __future__ import annotations

import argparse

import numpy as np

from distraction_gym.envs.arm import TASKS
from distraction_gym.envs.arm.env import EPISODE, ArmEnv


def play(env: ArmEnv, seed: int) -> tuple[bool, float]:
    """Return whether an episode succeeds, and its return."""
    _, info = env.reset(seed=seed)
    total = 0.0
    for _ in range(EPISODE):
        _, reward, _, _, info = env.step(env.task.expert())
        total += reward
    return info["is_success"], total


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--model", default="own")
    args = parser.parse_args()
    print("| task | success | return |\n|---|---|---|")
    for task in TASKS:
        env = ArmEnv(task, model=args.model)
        played = [play(env, seed) for seed in range(args.episodes)]
        done, returns = zip(*played, strict=True)
        print(f"| `{task}` | {sum(done)} of {args.episodes} | {np.mean(returns):.1f} |", flush=True)


if __name__ == "__main__":
    main()
