"""Make what lies in this folder: `make videos`.

Background clips that the package generates, and recordings of episodes beside their clean twins.
With `--runs DIR` (`runs/demo`, for instance, which `make demo` leaves) trained agents are filmed
too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym import env_id
from distraction_gym.assets.store import clips
from distraction_gym.cli import main as command
from distraction_gym.wrappers import RecordComparison
from distraction_gym.wrappers.video import Mp4Writer

HERE = Path(__file__).parent
CLIPS = {"video_easy": (0,), "video_hard": (0, 1)}
CLIP_SIZE, CLIP_FRAMES, CLIP_FPS = (96, 96), 50, 25
PANEL = 168
DMCGB_STEPS = 25


def write_clips() -> None:
    """Write the beginnings of some generated clips."""
    for pack, chosen in CLIPS.items():
        for index in chosen:
            footage = clips(pack, "generated")[index].decode(CLIP_SIZE)
            with Mp4Writer(HERE / f"clip_{pack}_{index}.mp4", CLIP_FPS) as video:
                for frame in footage[:CLIP_FRAMES]:
                    video.write(np.ascontiguousarray(frame))


def record_expert(task: str, mode: str, seed: int = 1) -> None:
    """Film one episode of the mini suite, played from its true state."""
    path = HERE / f"mini-{task}-{mode}-expert.mp4"
    env = RecordComparison(gym.make(env_id("mini", task, mode)), str(path), PANEL)
    player: Any = env.unwrapped
    env.reset(seed=seed)
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(player.task.expert().astype(np.float32))
        over = terminated or truncated
    env.close()


def record_random(task: str, mode: str, seed: int = 1) -> None:
    """Film some steps of a DMC-GB task under random actions."""
    path = HERE / f"dmcgb-{task}-{mode}-random.mp4"
    env = gym.make(env_id("dmcgb", task, mode), assets="generated")
    env = RecordComparison(env, str(path), PANEL)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(DMCGB_STEPS):
        env.step(env.action_space.sample())
    env.close()


def record_runs(folder: Path) -> None:
    """Film every trained agent below a folder, as `distraction-gym record` does."""
    for config in sorted(folder.rglob("config.json")):
        run = config.parent
        path = HERE / f"{run.parent.name}-video_hard-{run.name}.mp4"
        options = ["--mode", "video_hard", "--episodes", "1", "--size", str(PANEL)]
        if command(["record", "--model", str(run), "--out", str(path), *options]):
            raise SystemExit(1)


def main() -> None:
    """Make everything anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="a folder with run folders at any depth")
    parser.add_argument("--only", choices=("mini",), help="leave out what needs a renderer")
    args = parser.parse_args()
    write_clips()
    record_expert("reach", "video_hard")
    record_expert("catch", "color_hard")
    if not args.only:
        record_random("walker_walk", "video_hard")
    if args.runs:
        record_runs(args.runs)
    total = sum(path.stat().st_size for path in HERE.glob("*.mp4"))
    print(f"{len(list(HERE.glob('*.mp4')))} files, {total / 1024:.0f} KB in {HERE.name}/")


if __name__ == "__main__":
    main()
