"""Collect frames with the oracle's masks, and measure segmenters against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.bench.evaluate import footage
from distraction_gym.registration import EnvName, parse_id
from distraction_gym.seeding import stream
from distraction_gym.segmentation.base import Masks, Segmenter
from distraction_gym.segmentation.samples import FLOOR, OTHER, SKY, THING, Labels, Samples, joined
from distraction_gym.wrappers import AddForegroundMask
from distraction_gym.wrappers.record import newest_frame

HELD_OUT_SEED = 1_000_000
"""Episodes that are measured take the seed plus this."""
_FRAMES = 4  # of an episode
_STEPS = 4  # between them
_HELD = 4  # steps that an action lasts, on average


@dataclass(frozen=True)
class Source:
    """Where labelled frames come from."""

    envs: tuple[str, ...]
    """Environment IDs, in whichever mode."""
    modes: tuple[str, ...] = ("clean",)
    frames: int = 1000
    """In all, as many of every environment and mode."""
    seed: int = 0
    assets: str = "auto"
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> list[EnvName]:
        """Return every environment in every mode.

        Raises:
            UnknownName: for an ID or a mode that does not exist.
        """
        return [parse_id(env).with_mode(mode) for env in self.envs for mode in self.modes]


class Score(NamedTuple):
    """How well a segmenter's foreground fits the oracle's in one environment."""

    env: EnvName
    iou: float
    """Mean over frames."""


def gather(source: Source, size: int) -> Samples:
    """Play every environment and mode with random actions; return the frames as squares."""
    names = source.names()
    share = max(1, source.frames // len(names))
    return joined(collect(name, share, source).at(size) for name in names)


def measure(segmenter: Segmenter, source: Source) -> list[Score]:
    """Compare a segmenter's foreground with the oracle's on episodes of their own."""
    names = source.names()
    share = max(1, source.frames // len(names))
    scores = []
    for name in names:
        samples = collect(name, share, source)
        found = segmenter.foreground(samples.frames)
        scores.append(Score(name, float(ious(found, samples.foreground).mean())))
    return scores


def ious(found: Masks, truth: Masks) -> npt.NDArray[np.float64]:
    """Return the intersection over union of masks `(B, H, W)`, `(B,)`; 1 where both are empty."""
    union = (found | truth).sum((1, 2))
    overlap = (found & truth).sum((1, 2))
    return np.where(union == 0, 1.0, overlap / np.maximum(union, 1))


def collect(name: EnvName, frames: int, source: Source) -> Samples:
    """Return frames of one environment with their labels, at their own size.

    Episodes are short and actions are held for a while, so that the states spread.
    """
    assets = footage(name, source.assets)
    env = gym.make(str(name), assets=assets, **source.env_kwargs)
    try:
        taken = _play(env, frames, stream(source.seed, "segmenter"), source.seed)
        pictures, labels = zip(*taken, strict=True)
    finally:
        env.close()
    return Samples(np.stack(pictures), np.stack(labels))


def _play(
    env: gym.Env, frames: int, rng: np.random.Generator, seed: int
) -> Iterator[tuple[npt.NDArray[np.uint8], Labels]]:
    labelled = AddForegroundMask(env, instances=True)  # masks take time: only of frames to keep
    env.action_space.seed(seed)
    action, taken, left = env.action_space.sample(), 0, 0
    while taken < frames:
        if left == 0:
            obs, info = labelled.reset(seed=seed if taken == 0 else None)
            left = _FRAMES
        yield newest_frame(obs).copy(), _labels(env, info)
        taken, left = taken + 1, left - 1
        for step in range(1, _STEPS + 1):
            if rng.random() < 1 / _HELD:
                action = env.action_space.sample()
            stepped = labelled if step == _STEPS else env
            obs, _, terminated, truncated, info = stepped.step(action)
            if terminated or truncated:
                left = 0
                break


def _labels(env: gym.Env, info: Mapping[str, Any]) -> Labels:
    scene, frame = env.get_wrapper_attr("scene"), env.get_wrapper_attr("undistorted")
    labels = np.full(info["foreground"].shape, OTHER, np.int16)
    for part, label in (("floor", FLOOR), ("sky", SKY)):
        if part in scene.parts:
            labels[np.asarray(scene.background([part], frame), np.float32) >= 0.5] = label
    things = info["instances"]["ids"].astype(np.int16) + THING
    return np.where(info["foreground"], things, labels)


def table(scores: Sequence[Score]) -> str:
    """Return a Markdown table: a row per task, a column per mode."""
    modes = list(dict.fromkeys(score.env.mode for score in scores))
    rows: dict[str, dict[str, float]] = {}
    for score in scores:
        rows.setdefault(f"{score.env.suite}-{score.env.task}", {})[score.env.mode] = score.iou
    lines = [f"| IoU | {' | '.join(modes)} |", f"|---|{'---|' * len(modes)}"]
    for row, values in rows.items():
        cells = (f"{values[mode]:.2f}" if mode in values else "" for mode in modes)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)
