"""What TRMS saves by segmenting each frame once, and by handing over to a student.

    python benchmarks/trms_speed.py --steps 60 --teach 15
    python benchmarks/trms_speed.py --weights FastSAM-x.pt --task walker_walk

Two runs of the same length, settings and seed on DMC-GB, one after the other in one process:

- kept: each frame is segmented when it is new, and its masks lie in the replay buffer; after
  `--teach` steps the student takes over;
- anew: every update segments the frames that it has sampled, to the end (TRMS's SAM-only run, which
  took 73 hours where the paper's own took 15).

Without `--weights` the network of FastSAM-s starts random: as slow as the trained one, with masks
that mean nothing. Updates have `--batch` transitions in both runs and both phases.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import untrained_fastsam

import distraction_gym  # noqa: F401
from distraction_gym.agents import TRMS

RANDOM = 3
"""Steps before learning, whose time is not counted."""


def main() -> None:
    """Run both, and print steps per second and how they compare."""
    args = parsed()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        weights = args.weights or untrained(Path(folder))
        kept = run(args, weights, args.teach)
        anew = run(args, weights, args.steps, segment_in_updates=True)
    taught, alone = kept[: args.teach], kept[args.teach :]
    print(f"{args.steps} steps of {args.task}, batches of {args.batch}, {args.threads} threads")
    for name, seconds in (("teaching", taught), ("student", alone), ("anew", anew)):
        print(f"{name:>9}: {len(seconds) / sum(seconds):8.3f} steps/s, {len(seconds)} steps")
    print(f"whole run: {sum(anew) / sum(kept):.1f} times as fast as segmenting in every update")


def run(args: argparse.Namespace, weights: str, teach: int, **settings: Any) -> list[float]:
    """Return the seconds of each step, acting and one update."""
    torch.manual_seed(0)
    model = TRMS(
        "CnnPolicy",
        f"distraction_gym/dmcgb-{args.task}-clean-v0",
        buffer_size=args.steps + RANDOM + 10,
        learning_starts=RANDOM,
        batch_size=args.batch,
        teach_batch=args.batch,
        teach_steps=RANDOM + teach,
        segmenter={"name": "fastsam", "weights": weights, "confidence": args.confidence},
        panel_interval=0,
        seed=0,
        **settings,
    )
    model.learn(RANDOM)
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        model.learn(1, reset_num_timesteps=False)
        seconds.append(time.perf_counter() - start)
    return seconds


def untrained(folder: Path) -> str:
    """Write FastSAM-s as it starts, and return the file's name."""
    path = folder / "FastSAM-s-untrained.pt"
    untrained_fastsam.write("s", path)
    return str(path)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--task", default="walker_walk")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--teach", type=int, default=15, help="of them, with the segmenter")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--weights", help="a file of FastSAM; none: untrained")
    parser.add_argument("--confidence", type=float, default=0.4)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
