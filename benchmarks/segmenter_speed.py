"""Frames per second of every registered segmenter: small and large pictures, single and batched.

    python benchmarks/segmenter_speed.py
    python benchmarks/segmenter_speed.py --segmenters superpixel fastsam:weights=FastSAM-s.pt
    python benchmarks/segmenter_speed.py --sizes 84 --batch 1 --device cuda --out speed.json

A case is a segmenter's name, and after a colon arguments, with commas between them. The frames are
those of an episode of a registered ID, drawn at each size; row i of a batch runs through them from
frame i on, so that what follows the picture has a film to follow. `background` is told the median
of them. `oracle` knows the newest frame only: the environment steps between its calls, which does
not count. `propagated` is measured around the segmenter that it has by default.

What lacks its weights, or a package, is listed with the reason. All cases of a size and batch take
turns, so that a busy machine slows all of them; the first round only warms up, and numbers are
medians over the others.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import gymnasium as gym
import numpy as np

from distraction_gym.errors import AssetsMissing, MissingExtra
from distraction_gym.segmentation import SEGMENTERS, Segmenter, make_segmenter
from distraction_gym.segmentation.background import BackgroundSegmenter

FRAMES = 64
REASONS = {AssetsMissing: "no weights", MissingExtra: "not installed"}


class Film:
    """An environment, and the frames of its first episode, `(FRAMES, H, W, 3)`."""

    def __init__(self, name: str, size: int) -> None:
        self.env = gym.make(name, image_size=size, frame_stack=1, disable_env_checker=True)
        self.env.action_space.seed(0)
        obs, _ = self.env.reset(seed=0)
        self.frames = np.stack([self._frame(obs), *(self.step() for _ in range(FRAMES - 1))])

    def step(self) -> np.ndarray:
        """Take a random action and return the new frame."""
        obs, _, terminated, truncated, _ = self.env.step(self.env.action_space.sample())
        if terminated or truncated:
            obs, _ = self.env.reset()
        return self._frame(obs)

    def batch(self, time: int, rows: int) -> np.ndarray:
        """Return one frame for each row, each row one frame ahead of the row above."""
        return self.frames[(time + np.arange(rows)) % FRAMES]

    @staticmethod
    def _frame(obs: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(obs.transpose(1, 2, 0))


class Case:
    """A segmenter on the frames of a film."""

    def __init__(self, name: str, film: Film, rows: int, device: str | None) -> None:
        self.segmenter = build(name, device)
        self.segmenter.bind(film.env)
        if isinstance(self.segmenter, BackgroundSegmenter):
            self.segmenter.learn(film.frames)
        self.film, self.rows, self.time = film, rows, 0
        self.rates: list[float] = []

    def measure(self, seconds: float) -> None:
        """Segment for about so long, and note how many frames that were per second."""
        spent, frames = 0.0, 0
        while spent < seconds:
            batch = self._next()
            start = time.perf_counter()
            self.segmenter.segment(batch)
            spent += time.perf_counter() - start
            frames += len(batch)
        self.rates.append(frames / spent)

    def _next(self) -> np.ndarray:
        if is_oracle(self.segmenter):
            return self.film.step()[None]
        self.time += 1
        return self.film.batch(self.time, self.rows)


def is_oracle(segmenter: Segmenter) -> bool:
    return type(segmenter).__name__ == "OracleSegmenter"


def build(case: str, device: str | None) -> Segmenter:
    """Build the segmenter of a case, on a device if it has the choice."""
    name, _, rest = case.partition(":")
    arguments = {}
    for part in filter(None, rest.split(",")):
        key, _, text = part.partition("=")
        try:
            arguments[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):  # a name, such as that of weights
            arguments[key] = text
    if device is not None and name in ("fastsam", "learned"):
        arguments.setdefault("device", device)
    return make_segmenter(name, **arguments)


def try_case(name: str, film: Film, rows: int, args: argparse.Namespace) -> Case | str:
    """Return a case that has run once, or why there is none."""
    try:
        case = Case(name, film, rows, args.device)
        if is_oracle(case.segmenter) and rows > 1:
            return "one frame at a time"
        case.measure(1e-9)
    except tuple(REASONS) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return REASONS[type(error)]
    return case


def take_turns(cases: list[Case], args: argparse.Namespace) -> None:
    """Measure round by round; what was measured before the first round is forgotten."""
    for case in cases:
        case.rates.clear()
    for _ in range(args.rounds):
        for case in cases:
            case.measure(args.seconds)


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure all cases at all sizes and batch sizes."""
    rows = []
    for size in args.sizes:
        film = Film(args.env, size)
        for batch in args.batch:
            cases = {name: try_case(name, film, batch, args) for name in args.segmenters}
            take_turns([case for case in cases.values() if isinstance(case, Case)], args)
            for name, case in cases.items():
                rate = case if isinstance(case, str) else median(case.rates)
                rows.append({"case": name, "size": size, "batch": batch, "frames_per_second": rate})
        film.env.close()
    return rows


def report(rows: list[dict[str, Any]]) -> None:
    """Print a table: a segmenter per row, a size and batch size per column."""
    columns = list(dict.fromkeys((row["size"], row["batch"]) for row in rows))
    titles = [f"{size} px, batch {batch}" for size, batch in columns]
    print("| frames/s |", " | ".join(titles), "|")
    print("|---" * (len(titles) + 1) + "|")
    for name in dict.fromkeys(row["case"] for row in rows):
        rates = [row["frames_per_second"] for row in rows if row["case"] == name]
        cells = [rate if isinstance(rate, str) else f"{rate:.3g}" for rate in rates]
        print(f"| {name} |", " | ".join(cells), "|")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    known = list(SEGMENTERS)
    parser.add_argument("--segmenters", nargs="+", default=known, metavar="NAME[:KEY=VALUE,..]")
    parser.add_argument("--env", default="distraction_gym/dmcgb-walker_walk-clean-v0")
    parser.add_argument("--sizes", nargs="+", type=int, default=[84, 640], help="pixels")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per case and round, at least")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", help="of the networks: cpu or cuda")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    return parser.parse_args()


def versions() -> dict[str, Any]:
    found: dict[str, Any] = {"python": sys.version.split()[0], "cpus": os.cpu_count()}
    for name in ("numpy", "opencv-python", "torch", "ultralytics"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def set_threads(count: int) -> None:
    cv2.setNumThreads(count)
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(count)


def main() -> None:
    args = parse()
    set_threads(args.threads)
    rows = measure(args)
    report(rows)
    if args.out:
        settings = {key: value for key, value in vars(args).items() if key != "out"}
        kept = {"settings": settings, "versions": versions(), "rows": rows}
        args.out.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
