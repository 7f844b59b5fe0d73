"""Play a trained agent without exploration and keep the undiscounted returns."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from distraction_gym.assets.clips import FileClip
from distraction_gym.assets.files import sha256
from distraction_gym.assets.store import clips
from distraction_gym.bench.records import Record, commit, digest, now, versions
from distraction_gym.bench.runs import RunConfig
from distraction_gym.distractions.modes import MODES
from distraction_gym.registration import SUITES, EnvName, parse_id
from distraction_gym.wrappers import ActionRepeat

SEED_OFFSET = 42
"""Test environments take the training seed plus this, as in DMC-GB."""


class Predictor(Protocol):
    """Whatever chooses actions as Stable-Baselines3's models do.

    One that remembers returns a state beside each action, and takes it back with the next call as
    `state`, and `episode_start` beside it (an array of one bool).
    """

    def predict(self, observation: Any, *, deterministic: bool = False) -> tuple[Any, Any]:
        """Return an action for an observation, and a recurrent state or None."""


def carry(state: Any) -> dict[str, Any]:
    """Return what `predict` is given beside an episode's further observations.

    Args:
        state: What it returned with the action before; None where an episode begins, and from a
            model that remembers nothing, which is then asked without.
    """
    return {} if state is None else {"state": state, "episode_start": np.zeros(1, bool)}


def play(model: Predictor, env: gym.Env, episodes: int, seed: int) -> tuple[float, ...]:
    """Return the undiscounted return of each episode, actions being the policy's mode.

    A model that learns while it is tested has `adapter(seed)`, which returns what plays one
    episode: with `predict`, and with `observe(obs, action, next_obs)`, called after every step.

    The first reset takes the seed and the others continue its streams: under the same seed, the
    physics of episode i is the same in every mode. What a model draws with torch (a world model
    draws its state) follows from the seed too, and leaves torch's own random state as it was.
    """
    import torch  # here, for `footage` is asked for where there is none

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return _play(model, env, episodes, seed)


def _play(model: Predictor, env: gym.Env, episodes: int, seed: int) -> tuple[float, ...]:
    returns = []
    for episode in range(episodes):
        obs, _ = env.reset(seed=seed if episode == 0 else None)
        player = model.adapter(seed + episode) if hasattr(model, "adapter") else model
        observe = getattr(player, "observe", None)
        total, over, state = 0.0, False, None
        while not over:
            action, state = player.predict(obs, deterministic=True, **carry(state))
            next_obs, reward, terminated, truncated, _ = env.step(action)
            if observe is not None:
                observe(obs, action, next_obs)
            obs = next_obs
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    return tuple(returns)


def evaluate(
    model: Predictor,
    run: RunConfig,
    mode: str,
    episodes: int = 30,
    assets: str | None = None,
    seed: int | None = None,
) -> Record:
    """Measure a run's model under one mode.

    Args:
        model: The trained model.
        run: What it was trained on: the task, the seed and the environment's keywords.
        mode: A mode of the suite.
        episodes: How many to play.
        assets: Where clips and colour tables are; None takes the run's.
        seed: Of the test environment; None takes the training seed plus 42.

    Raises:
        UnknownName: if the suite has no such mode.
        AssetsMissing: if the mode's clips are not on this machine.
    """
    name = parse_id(run.env).with_mode(mode)
    source = footage(name, run.assets if assets is None else assets)
    env = gym.make(str(name), assets=source, **run.env_kwargs)
    seed = run.seed + SEED_OFFSET if seed is None else seed
    try:
        returns = play(model, env, episodes, seed)
        repeat = action_repeat(env)
        size = env.observation_space.shape[-2:] if env.observation_space.shape else (0, 0)
    finally:
        env.close()
    return Record(
        suite=name.suite,
        task=name.task,
        mode=mode,
        algo=run.algo,
        seed=run.seed,
        eval_seed=seed,
        steps=run.steps,
        frames=run.steps * repeat,
        returns=returns,
        assets=_label(source),
        clips=clips_digest(mode, source, (int(size[0]), int(size[1]))),
        env_kwargs=run.env_kwargs,
        versions=versions(),
        commit=commit(),
        finished=now(),
    )


def footage(name: EnvName, assets: str) -> str:
    """Return where an environment's clips come from: a suite without packs draws its own."""
    return "generated" if assets == "auto" and not SUITES[name.suite].packs else assets


def _label(assets: str) -> str:
    # Of a folder only the name: records are published, and `clips` says what was in it.
    return assets if assets in ("auto", "generated") else Path(assets).resolve().name


def action_repeat(env: gym.Env) -> int:
    """Return the control steps per agent step."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, ActionRepeat):
            return int(env._saved_kwargs["repeat"])
        env = env.env
    return 1


def clips_digest(mode: str, assets: str, size: tuple[int, int]) -> str:
    """Return a digest of the clips that a mode may show, in order: of files the content.

    Args:
        mode: A mode of the suite.
        assets: `"auto"`, `"generated"` or a folder.
        size: Height and width of generated clips.
    """
    packs = [item["pack"] for item in MODES[mode] if item["kind"] == "video"]
    found = [clip for pack in packs for clip in clips(pack, assets)]
    return digest(_content(c.path) if isinstance(c, FileClip) else c.key(size) for c in found)


@lru_cache(maxsize=1024)
def _content(path: Path) -> str:
    return sha256(path)
