"""How good masks get from one and five annotated frames, beside the shipped network and many.

    python benchmarks/few_shot_masks.py
    python benchmarks/few_shot_masks.py --env dmcgb-cartpole_swingup-clean-v0 --assets FOLDER

Each seed has episodes of its own to choose examples from and others to be measured on. `0` examples
is the network that training starts from, as it is. Frames have the annotation that a person would
make (foreground or not), all of them on `clean`; what is measured is foreground against the oracle,
means over frames, then over seeds, with 95 % intervals by Student's t.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from distraction_gym.bench.segmenters import HELD_OUT_SEED, Source, collect, examples, measure
from distraction_gym.bench.stats import over_seeds
from distraction_gym.segmentation.learned import LearnedSegmenter
from distraction_gym.segmentation.train_unet import train_unet
from distraction_gym.segmentation.unet import save, shipped

FIGURES = ("iou", "recall", "precision")


def adapted(env: str, count: int, seed: int, args: argparse.Namespace) -> LearnedSegmenter:
    """Train on so many examples and return the segmenter that reads the file."""
    if count == 0 and args.start == "shipped":
        return LearnedSegmenter()
    chosen = examples(Source((env,), frames=max(count, args.pool), seed=seed), count)
    start = shipped() if args.start == "shipped" else None
    network = train_unet(
        chosen.at(args.size), start=start, steps=args.steps, batch=args.batch, lr=args.lr, seed=seed
    )
    path = args.out / f"{env.split('/')[-1]}-{args.start}-{count}-{seed}.pt"
    save(network, path)
    return LearnedSegmenter(weights=path)


def draw(segmenter: LearnedSegmenter, source: Source, path: Path) -> None:
    """Draw frames of every mode above the outlines of what is found (red) and true (green)."""
    pages = []
    for name in source.names():
        samples = collect(name, source.share(), source)
        found = segmenter.foreground(samples.frames)
        picked = slice(0, None, 4)  # one of each episode
        for frame, mask, true in zip(
            samples.frames[picked], found[picked], samples.foreground[picked], strict=True
        ):
            panel = np.where((mask & true)[..., None], frame, frame // 3)
            panel[mask & ~true], panel[~mask & true] = (255, 0, 0), (0, 255, 0)
            pages.append(np.vstack([frame, panel]))
    page = cv2.resize(np.hstack(pages), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(path), page[..., ::-1])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--env", nargs="+", default=["mini-reach-clean-v0"], metavar="ID")
    parser.add_argument("--measure", nargs="+", default=["clean", "video_hard"], metavar="MODE")
    parser.add_argument("--examples", nargs="+", type=int, default=[0, 1, 5, 300], metavar="N")
    parser.add_argument("--start", choices=("shipped", "scratch"), default="shipped")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pool", type=int, default=200, help="frames that examples are chosen of")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--size", type=int, default=84)
    parser.add_argument("--eval-frames", type=int, default=24, help="per seed and mode")
    parser.add_argument("--assets", default="auto", metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("runs/few_shot_masks"))
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    titles = [f"{mode} {figure}" for mode in args.measure for figure in ("IoU", *FIGURES[1:])]
    print(f"| task | examples | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 2)}", flush=True)
    for env in args.env:
        for count in args.examples:
            runs = []
            for seed in range(args.seeds):
                frames = args.eval_frames * len(args.measure)
                modes, held_out = tuple(args.measure), seed + HELD_OUT_SEED
                source = Source((env,), modes, frames, held_out, args.assets)
                segmenter = adapted(env, count, seed, args)
                runs.append([getattr(s, f) for s in measure(segmenter, source) for f in FIGURES])
                if seed == 0:
                    draw(segmenter, source, args.out / f"{env}-{args.start}-{count}.png")
            estimates = [over_seeds(column) for column in zip(*runs, strict=True)]
            cells = (f"{e.mean:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in estimates)
            print(f"| {env} | {count} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
