"""Collect frames with the oracle's masks, and measure segmenters against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.bench.evaluate import footage
from distraction_gym.registration import EnvName, parse_id
from distraction_gym.seeding import stream
from distraction_gym.segmentation.base import Masks, Segmenter
from distraction_gym.segmentation.examples import annotated, spread
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

    def share(self) -> int:
        """Return how many frames each environment and mode gives."""
        return max(1, self.frames // (len(self.envs) * len(self.modes)))


class Score(NamedTuple):
    """How well a segmenter's foreground fits the oracle's in one environment."""

    env: EnvName
    iou: float
    """Mean over frames, as all of them."""
    recall: float
    """How much of the oracle's foreground is found."""
    precision: float
    """How much of what is found is the oracle's foreground."""


def gather(source: Source) -> Samples:
    """Play every environment and mode with random actions; return the frames as squares."""
    return _joined([collect(name, source.share(), source) for name in source.names()])


def _joined(parts: Sequence[Samples]) -> Samples:
    side = max(max(part.frames.shape[1:3]) for part in parts)
    return joined(part.at(side) for part in parts)


def examples(source: Source, count: int) -> Samples:
    """Return a few frames of every environment, chosen to span its states and backgrounds.

    Of as many frames as the source names, in all its modes, those are taken that differ most
    (`spread`), with the annotation that a person would make: foreground or not.
    """
    chosen = []
    for env in source.envs:
        names = replace(source, envs=(env,)).names()
        pool = joined(collect(name, source.share(), source) for name in names)
        chosen.append(annotated(pool.of(spread(pool.frames, count))))
    return _joined(chosen)


def measure(segmenter: Segmenter, source: Source) -> list[Score]:
    """Compare a segmenter's foreground with the oracle's on episodes of their own."""
    scores = []
    for name in source.names():
        samples = collect(name, source.share(), source)
        overlap = agreement(segmenter.foreground(samples.frames), samples.foreground)
        scores.append(Score(name, *map(float, overlap.mean(axis=1))))
    return scores


def agreement(found: Masks, truth: Masks) -> npt.NDArray[np.float64]:
    """Return the intersection over union, recall and precision of masks `(B, H, W)`: `(3, B)`.

    Where there is nothing to divide by, they are 1 if both masks are empty, else 0.
    """
    hit = (found & truth).sum((1, 2))
    wholes = np.stack([mask.sum((1, 2)) for mask in (found | truth, truth, found)])
    return np.where(wholes[0] == 0, 1.0, hit / np.maximum(wholes, 1))


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


def table(scores: Sequence[Score], figure: str = "IoU") -> str:
    """Return a Markdown table: a row per task, a column per mode.

    Args:
        scores: Of all tasks and modes.
        figure: `"IoU"`, `"recall"` or `"precision"`.
    """
    modes = list(dict.fromkeys(score.env.mode for score in scores))
    rows: dict[str, dict[str, float]] = {}
    for score in scores:
        row = rows.setdefault(f"{score.env.suite}-{score.env.task}", {})
        row[score.env.mode] = getattr(score, figure.lower())
    lines = [f"| {figure} | {' | '.join(modes)} |", f"|---|{'---|' * len(modes)}"]
    for name, values in rows.items():
        cells = (f"{values[mode]:.2f}" if mode in values else "" for mode in modes)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
