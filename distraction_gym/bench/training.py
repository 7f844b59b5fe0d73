"""Train one agent into a run folder, so that a killed run can go on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, make_output_format
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from distraction_gym.agents.common.checkpoint import latest_checkpoint, resume
from distraction_gym.agents.common.presets import PresetError, check, load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.bench.callbacks import EpisodeLog, Evaluation, ProgressLines
from distraction_gym.bench.evaluate import footage
from distraction_gym.bench.runs import (
    CHECKPOINTS,
    CONFIG,
    MODEL,
    RunConfig,
    agent_class,
    read_config,
    write_config,
)
from distraction_gym.bench.wrapping import wrapped
from distraction_gym.errors import CheckpointError
from distraction_gym.registration import parse_id


@dataclass(frozen=True)
class Habits:
    """How a run is watched; none of it changes what is learned."""

    checkpoint_every: int = 10_000
    """Agent steps."""
    eval_every: int = 0
    """Agent steps between evaluations; 0 for none."""
    eval_modes: tuple[str, ...] = ("clean", "video_hard")
    eval_episodes: int = 10
    progress: str = "bar"
    """`"bar"`, `"lines"` (one JSON line a second, for a parent process) or `"none"`."""
    device: str = "auto"
    threads: int | None = None
    """Torch's threads; None keeps torch's own choice."""


def configure(
    algo: str,
    env: str,
    *,
    steps: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    n_envs: int | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RunConfig:
    """Return a run's settings: the preset of the algorithm and environment, then the user's.

    Args:
        algo: A registered agent.
        env: An environment ID, with or without its namespace.
        steps: Agent steps; None takes the preset's.
        overrides: Arguments of the agent's constructor; dictionaries in it are merged.
        n_envs: Environments at once; None takes the preset's.
        env_kwargs: Keywords of `gym.make`, over the preset's.
        **settings: Further fields of `RunConfig`.

    Raises:
        UnknownName: for an unknown algorithm or environment.
        PresetError: for a setting that the agent does not have, or without any number of steps.
    """
    changes = dict(overrides or {})
    check(changes, agent_class(algo), "settings")
    name = str(parse_id(env))
    preset = _merged(load_preset(algo, name), changes)
    preset_steps, preset_envs = preset.pop("n_timesteps", None), preset.pop("n_envs", 1)
    if steps is None and preset_steps is None:
        raise PresetError(f"the presets of {algo} say no n_timesteps for {name}: pass the steps")
    return RunConfig(
        algo=algo,
        env=name,
        steps=int(steps or preset_steps),
        n_envs=n_envs or preset_envs,
        env_kwargs={**preset.pop("env_kwargs", {}), **(env_kwargs or {})},
        hyperparameters=preset,
        **settings,
    )


def train(config: RunConfig, folder: Path, habits: Habits, *, go_on: bool = False) -> Path:
    """Train, or go on training, and leave the model in the run's folder.

    Args:
        config: What to train.
        folder: Takes config.json, model.zip, checkpoints/, episodes.csv and logs/.
        habits: Checkpoints, evaluations and progress.
        go_on: Continue from the newest checkpoint; without one, start.

    Returns:
        The folder.

    Raises:
        CheckpointError: if the folder holds a run and `go_on` is False, or a run of other settings.
    """
    check_folder(config, folder, go_on)
    if habits.threads:
        torch.set_num_threads(habits.threads)
    if go_on and _finished(config, folder):
        return folder
    model = _build(config, habits.device)
    write_config(config, folder)
    if go_on and latest_checkpoint(folder / CHECKPOINTS) is not None:
        resume(model, folder / CHECKPOINTS)
    model.set_logger(_logger(folder, model.num_timesteps))
    checkpoints = ResumableCheckpoint(folder / CHECKPOINTS, habits.checkpoint_every)
    model.learn(
        config.steps - model.num_timesteps,
        callback=[checkpoints, *_callbacks(config, folder, habits)],
        progress_bar=habits.progress == "bar",
        reset_num_timesteps=model.num_timesteps == 0,
    )
    if checkpoints.stopped:
        raise CheckpointError(
            f"asked to end at step {model.num_timesteps}, with a checkpoint; "
            "the same command with --resume goes on"
        )
    model.save(folder / MODEL)
    model.get_env().close()
    return folder


def check_folder(config: RunConfig, folder: Path, go_on: bool) -> None:
    """Check that a folder holds nothing yet, or a run of these settings that is to go on.

    What failed before it left a model or a checkpoint is nothing.

    Raises:
        CheckpointError: if it does not.
    """
    trained = (folder / MODEL).exists() or latest_checkpoint(folder / CHECKPOINTS) is not None
    if not trained or not (folder / CONFIG).exists():
        return
    if not go_on:
        raise CheckpointError(
            f"{folder} holds a run already. Pass --resume to go on with it, or another --out"
        )
    old, new = (dataclasses.asdict(item) for item in (read_config(folder), config))
    changed = [key for key in new if key != "steps" and old[key] != new[key]]
    if changed:
        key = changed[0]
        raise CheckpointError(
            f"{folder} was trained with {key}={old[key]!r}, not {new[key]!r}: "
            "pass the run's own settings to go on with it, or another --out"
        )


def _finished(config: RunConfig, folder: Path) -> bool:
    """Return whether the folder's model has had its steps (a longer run goes on training)."""
    done = (folder / MODEL).exists() and read_config(folder).steps >= config.steps
    if not done:
        (folder / MODEL).unlink(missing_ok=True)  # it would pass for the longer run's
    return done


def _build(config: RunConfig, device: str) -> Any:
    # A deep copy: Stable-Baselines3 writes into the policy's arguments.
    arguments = copy.deepcopy(config.hyperparameters)
    policy = arguments.pop("policy", "CnnPolicy")
    arguments.pop("env_wrapper", None)
    try:
        env = make_training_env(config)
        return agent_class(config.algo)(policy, env, seed=config.seed, device=device, **arguments)
    except (AssertionError, TypeError) as error:  # Gymnasium's and Stable-Baselines3's own checks
        raise PresetError(f"{config.algo} on {config.env}: {error}") from error


def make_training_env(config: RunConfig) -> VecEnv:
    """Build the environments of a run, each with a monitor."""
    source = footage(parse_id(config.env), config.assets)

    def make() -> gym.Env:
        env = gym.make(config.env, assets=source, **config.env_kwargs)
        # Without a file: an open one would keep checkpoints from holding the environment.
        return Monitor(wrapped(env, config))

    return DummyVecEnv([make] * config.n_envs)


def _callbacks(config: RunConfig, folder: Path, habits: Habits) -> list[BaseCallback]:
    callbacks: list[BaseCallback] = [EpisodeLog(folder / "episodes.csv")]
    if habits.eval_every:
        callbacks.append(
            Evaluation(
                config,
                folder / "evaluations.csv",
                habits.eval_every,
                habits.eval_modes,
                habits.eval_episodes,
            )
        )
    if habits.progress == "lines":
        callbacks.append(ProgressLines(config.steps))
    return callbacks


def _logger(folder: Path, step: int) -> Logger:
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    # The CSV format overwrites: a resumed run writes a file of its own.
    suffix = f"_from_{step}" if step else ""
    formats = [make_output_format(kind, str(logs), suffix) for kind in ("csv", "tensorboard")]
    return Logger(str(logs), formats)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        inner: Any = result.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        # What has another name has other arguments: a segmenter, say.
        one = both and value.get("name", inner.get("name")) == inner.get("name")
        result[key] = _merged(inner, value) if one else value
    return result
