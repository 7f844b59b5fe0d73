"""How far the pictures of `fast` and `draft` are from `standard`, per task.

    python benchmarks/render_quality.py --assets FOLDER
    python benchmarks/render_quality.py --tasks walker_walk --mode video_hard --steps 50

The same seed and actions in every quality; means are over all pixels, channels and frames, in grey
levels of 255.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gymnasium as gym
import numpy as np

from distraction_gym.envs.dmcgb import TASKS
from distraction_gym.registration import env_id
from distraction_gym.wrappers.record import newest_frame

QUALITIES = ("fast", "draft")


def frames(args: argparse.Namespace, task: str, quality: str) -> np.ndarray:
    """Return the pictures of one episode's beginning, `(T, H, W, 3)` int16."""
    env = gym.make(
        env_id("dmcgb", task, args.mode),
        assets=args.assets,
        render_quality=quality,
        disable_env_checker=True,
    )
    env.action_space.seed(0)
    obs, _ = env.reset(seed=args.seed)
    seen = [newest_frame(obs)]
    for _ in range(args.steps):
        obs, *_ = env.step(env.action_space.sample())
        seen.append(newest_frame(obs))
    env.close()
    return np.stack(seen).astype(np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--mode", default="clean")
    parser.add_argument("--assets", default="generated")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    args = parser.parse_args()
    rows = {}
    print(f"| task ({args.mode}) | " + " | ".join(f"{q}: mean | max" for q in QUALITIES) + " |")
    print("|---" * (1 + 2 * len(QUALITIES)) + "|")
    for task in args.tasks:
        standard = frames(args, task, "standard")
        off = {name: np.abs(frames(args, task, name) - standard) for name in QUALITIES}
        rows[task] = {name: [float(gap.mean()), int(gap.max())] for name, gap in off.items()}
        cells = " | ".join(f"{mean:.3f} | {most}" for mean, most in rows[task].values())
        print(f"| {task} | {cells} |", flush=True)
    if args.out:
        args.out.write_text(json.dumps({"mode": args.mode, "steps": args.steps, "tasks": rows}))


if __name__ == "__main__":
    main()
