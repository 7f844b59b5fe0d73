"""Play a trained agent without exploration; keep undiscounted returns and successes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np

from distraction_gym.assets.clips import FileClip
from distraction_gym.assets.files import sha256
from distraction_gym.assets.store import clips
from distraction_gym.bench.records import Record, commit, digest, now, versions
from distraction_gym.bench.runs import RunConfig
from distraction_gym.bench.wrapping import wrapped
from distraction_gym.distractions.modes import resolve
from distraction_gym.registration import SUITES, EnvName, parse_id
from distraction_gym.wrappers import ActionRepeat, DistractionWrapper

SEED_OFFSET = 42
"""Test environments take the training seed plus this, as in DMC-GB."""


class Predictor(Protocol):
    """Whatever chooses actions as Stable-Baselines3's models do.

    One that remembers returns a state beside each action, and takes it back with the next call as
    `state`, and `episode_start` beside it (an array of one bool).
    """

    def predict(self, observation: Any, *, deterministic: bool = False) -> tuple[Any, Any]:
        """Return an action for an observation, and a recurrent state or None."""


class Episodes(NamedTuple):
    """What was played."""

    returns: tuple[float, ...]
    """The undiscounted return of each episode."""
    successes: tuple[bool, ...]
    """What the last step's `info["is_success"]` said; empty where a task has no such thing."""


def carry(state: Any) -> dict[str, Any]:
    """Return what `predict` is given beside an episode's further observations.

    Args:
        state: What it returned with the action before; None where an episode begins, and from a
            model that remembers nothing, which is then asked without.
    """
    return {} if state is None else {"state": state, "episode_start": np.zeros(1, bool)}


def play(model: Predictor, env: gym.Env, episodes: int, seed: int) -> Episodes:
    """Play episodes, actions being the policy's mode.

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


def _play(model: Predictor, env: gym.Env, episodes: int, seed: int) -> Episodes:
    returns, successes = [], []
    for episode in range(episodes):
        obs, _ = env.reset(seed=seed if episode == 0 else None)
        player = model.adapter(seed + episode) if hasattr(model, "adapter") else model
        observe = getattr(player, "observe", None)
        total, over, state = 0.0, False, None
        while not over:
            action, state = player.predict(obs, deterministic=True, **carry(state))
            next_obs, reward, terminated, truncated, info = env.step(action)
            if observe is not None:
                observe(obs, action, next_obs)
            obs = next_obs
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
        if "is_success" in info:
            successes.append(bool(info["is_success"]))
    return Episodes(tuple(returns), tuple(successes))


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
    env, source = make_test_env(run, mode, assets)
    seed = run.seed + SEED_OFFSET if seed is None else seed
    try:
        played = play(model, env, episodes, seed)
        repeat = action_repeat(env)
        shown = clips_digest(env)
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
        returns=played.returns,
        successes=played.successes,
        assets=_label(source),
        clips=shown,
        env_kwargs=run.env_kwargs,
        train_mode=parse_id(run.env).mode,
        versions=versions(),
        commit=commit(),
        finished=now(),
    )


def make_test_env(run: RunConfig, mode: str, assets: str | None) -> tuple[gym.Env, str]:
    """Return a run's environment under a mode, with the run's wrappers, and where footage is.

    Raises:
        UnknownName, AssetsMissing: as `evaluate`.
    """
    name = parse_id(run.env).with_mode(mode)
    source = footage(name, run.assets if assets is None else assets)
    env = gym.make(str(name), assets=source, **run.env_kwargs)
    return wrapped(env, run, testing=True), source


def footage(name: EnvName, assets: str) -> str:
    """Return where an environment's clips come from: a suite without packs draws its own."""
    return "generated" if assets == "auto" and not SUITES[name.suite].packs else assets


def _label(assets: str) -> str:
    # Of a folder only the name: records are published, and `clips` says what was in it.
    return assets if assets in ("auto", "generated") else Path(assets).resolve().name


def action_repeat(env: gym.Env) -> int:
    """Return the control steps per agent step."""
    found = _layer(env, ActionRepeat)
    return 1 if found is None else int(found["repeat"])


def clips_digest(env: gym.Env) -> str:
    """Return a digest of the clips that an environment may show, in order: of files the content."""
    given = _layer(env, DistractionWrapper)
    if given is None:
        return ""
    items = resolve(given["mode"], assets=given["assets"], composite=given["composite"])
    height, width = env.get_wrapper_attr("picture_format").size
    found = [
        clip for item in items if "pack" in item for clip in clips(item["pack"], item["assets"])
    ]
    return digest(
        _content(clip.path) if isinstance(clip, FileClip) else clip.key((height, width))
        for clip in found
    )


def _layer(env: gym.Env, kind: type[gym.utils.RecordConstructorArgs]) -> dict[str, Any] | None:
    """Return the arguments of the outermost wrapper of a kind, or None without one."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, kind):
            return env._saved_kwargs
        env = env.env
    return None


@lru_cache(maxsize=1024)
def _content(path: Path) -> str:
    return sha256(path)
