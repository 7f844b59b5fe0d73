"""Does MaDi's Masker help Stable-Baselines3's own PPO and DQN?  A question that MaDi leaves open.

    python benchmarks/masker_in_stock.py --seeds 1 2 3 --out runs/masker_in_stock
    python benchmarks/masker_in_stock.py --out runs/masker_in_stock --table

Each algorithm learns mini-reach with NatureCNN, and with NatureCNN behind a MaskerExtractor, in
three kinds of training:

- clean: nothing is ever in the way;
- overlay: half of the observations have a generated picture mixed in (MaDi's strong augmentation,
  here part of the environment, for neither algorithm augments a loss); no test clip is among them;
- video_easy: one of ten clips in the sky, drawn anew for each episode.

Then 30 episodes are played under each of clean, video_easy and video_hard, whose clips no training
has shown.

DQN chooses among nine actions (Gymnasium's DiscretizeAction with three bins). Runs follow one
another on one thread, some minutes each, and a killed script goes on with the first run that has
no result in OUT/results.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.wrappers import DiscretizeAction
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from distraction_gym import env_id
from distraction_gym.agents import MaskerExtractor
from distraction_gym.agents.common.augmentations import Overlay
from distraction_gym.agents.madi.extractor import explain
from distraction_gym.bench.evaluate import SEED_OFFSET, play
from distraction_gym.bench.stats import over_seeds
from distraction_gym.wrappers import AddForegroundMask

ALGORITHMS: dict[str, Any] = {
    "ppo": partial(PPO, n_steps=64, batch_size=128, n_epochs=4, gamma=0.8, learning_rate=1e-3),
    "dqn": partial(
        DQN,
        buffer_size=40_000,
        learning_starts=500,
        train_freq=1,
        gradient_steps=2,
        batch_size=64,
        gamma=0.8,
        learning_rate=5e-4,
        exploration_fraction=0.3,
        target_update_interval=500,
    ),
}
STEPS = {"ppo": 40_000, "dqn": 20_000}
EXTRACTORS: dict[str, dict[str, Any]] = {
    "NatureCNN": {},
    "MaskerExtractor": {
        "features_extractor_class": MaskerExtractor,
        "features_extractor_kwargs": {"masker_filters": 8},
    },
}
TRAINING = ("overlay", "video_easy", "clean")
MODES = ("clean", "video_easy", "video_hard")
KEY = ("algo", "training", "extractor", "seed")
ENVS = 8


class MixPictures(gym.ObservationWrapper):
    """Lay a new picture over an observation, every second time by chance."""

    def __init__(self, env: gym.Env, seed: int) -> None:
        super().__init__(env)
        self._overlay = Overlay()
        self._generator = torch.Generator().manual_seed(seed)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """Return it with or without a picture."""
        if torch.rand((), generator=self._generator) < 0.5:
            return observation
        batch = torch.as_tensor(observation[None]).float()
        return self._overlay(batch, self._generator)[0].round().byte().numpy()


def make(algo: str, mode: str, seed: int | None = None) -> gym.Env:
    """Return mini-reach; `"overlay"` is the clean task with pictures laid over it."""
    env = gym.make(env_id("mini", "reach", "clean" if mode == "overlay" else mode))
    env = DiscretizeAction(env, 3) if algo == "dqn" else env
    return Monitor(MixPictures(env, seed or 0) if mode == "overlay" else env)


def contrast(model: BaseAlgorithm, algo: str, seed: int, episodes: int = 5) -> dict[str, float]:
    """Return the mean mask where the oracle sees foreground and background, under video_hard."""
    env = AddForegroundMask(make(algo, "video_hard"))
    inside, outside = [], []
    for episode in range(episodes):
        obs, info = env.reset(seed=seed if episode == 0 else None)
        over = False
        while not over:
            mask, foreground = explain(model, obs)[0].cpu().numpy(), info["foreground"]
            inside.append(mask[foreground].mean())
            outside.append(mask[~foreground].mean())
            obs, _, terminated, truncated, info = env.step(
                model.predict(obs, deterministic=True)[0]
            )
            over = terminated or truncated
    env.close()
    return {"foreground": float(np.mean(inside)), "background": float(np.mean(outside))}


def run(algo: str, training: str, extractor: str, seed: int, steps: int, folder: Path) -> dict:
    """Train and measure one model."""
    start = time.monotonic()
    env = DummyVecEnv([partial(make, algo, training, 1000 * seed + i) for i in range(ENVS)])
    kwargs = {"policy_kwargs": dict(EXTRACTORS[extractor]), "seed": seed, "device": "cpu"}
    model = ALGORITHMS[algo]("CnnPolicy", env, **kwargs).learn(steps)
    returns = {}
    for mode in MODES:
        test = make(algo, mode)
        returns[mode] = float(np.mean(play(model, test, 30, seed + SEED_OFFSET).returns))
        test.close()
    result = {
        **{"algo": algo, "training": training, "extractor": extractor, "seed": seed},
        **{"steps": steps, "returns": returns, "minutes": (time.monotonic() - start) / 60},
    }
    if extractor == "MaskerExtractor":
        result["mask"] = contrast(model, algo, seed + SEED_OFFSET)
    model.save(folder / f"{algo}-{training}-{extractor}-s{seed}")
    return result


def table(results: list[dict]) -> str:
    """Return Markdown: means over seeds and 95 % intervals by Student's t."""
    head = ["algorithm", "trained under", "extractor", *MODES, "mask: object / rest", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for algo, training, extractor in itertools.product(ALGORITHMS, TRAINING, EXTRACTORS):
        key = {"algo": algo, "training": training, "extractor": extractor}
        found = [item for item in results if key.items() <= item.items()]
        if not found:
            continue
        cells = [_cell([item["returns"][mode] for item in found]) for mode in MODES]
        masks = [item["mask"] for item in found if "mask" in item]
        parts = [
            np.mean([m[part] for m in masks]) for part in ("foreground", "background") if masks
        ]
        seen = " / ".join(f"{part:.2f}" for part in parts)
        lines.append(f"| {' | '.join([*key.values(), *cells, seen, str(len(found))])} |")
    return "\n".join(lines)


def differences(results: list[dict]) -> str:
    """Return Markdown: what the Masker adds under video_hard, paired by seed."""
    earned = {(*(item[key] for key in KEY),): item["returns"]["video_hard"] for item in results}
    lines = []
    for algo, training in itertools.product(ALGORITHMS, TRAINING):
        without, behind = (
            {key[-1]: value for key, value in earned.items() if key[:-1] == (algo, training, name)}
            for name in EXTRACTORS
        )
        gained = [behind[seed] - without[seed] for seed in sorted(set(behind) & set(without))]
        if gained:
            each = ", ".join(f"{value:+.1f}" for value in gained)
            lines.append(f"- {algo}, {training}: {_cell(gained)} ({each})")
    return "\n".join(["MaskerExtractor less NatureCNN, video_hard, by seed:", "", *lines])


def _cell(values: list[float]) -> str:
    mean, low, high = over_seeds(values)
    return f"{mean:.1f}" if len(values) < 2 else f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--algos", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--training", nargs="+", default=list(TRAINING), choices=TRAINING)
    parser.add_argument("--steps", type=int, help="agent steps; other than the defaults: a trial")
    parser.add_argument("--out", type=Path, default=Path("runs/masker_in_stock"))
    parser.add_argument("--table", action="store_true", help="print what there is, train nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "results.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    plan = itertools.product(args.seeds, args.algos, args.training, EXTRACTORS)
    for seed, algo, training, extractor in () if args.table else plan:
        key = dict(zip(KEY, (algo, training, extractor, seed), strict=True))
        if any(key.items() <= item.items() for item in results):
            continue
        results.append(run(**key, steps=args.steps or STEPS[algo], folder=args.out))
        with file.open("a") as lines:
            lines.write(json.dumps(results[-1]) + "\n")
        print(json.dumps(results[-1]), flush=True)
    print(table(results), differences(results), sep="\n\n")


if __name__ == "__main__":
    main()
