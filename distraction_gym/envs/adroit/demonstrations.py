"""Human demonstrations as episodes of our observations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.envs.adroit.env import make
from distraction_gym.envs.adroit.tasks import TASKS
from distraction_gym.errors import AssetsMissing, BrokenAsset, MissingExtra, require

DATASET = "D4RL/{task}/human-v2"
"""Minari's name for the 25 human episodes of each task: D4RL's, believed to be DAPG's."""
_STATE = "initial_state_dict"


class Demonstration(NamedTuple):
    """One episode, as the agent would have seen it."""

    observations: list[Any]
    """One more than actions."""
    actions: npt.NDArray[np.float32]
    """`(T, A)`, in [-1, 1]."""
    rewards: npt.NDArray[np.float32]
    """`(T,)`."""
    is_terminated: bool
    is_success: bool
    """By the papers' count."""

    def transitions(self) -> Iterator[tuple[Any, npt.NDArray[np.float32], float, Any, bool]]:
        """Yield `(observation, action, reward, next observation, terminated)`."""
        last = len(self.actions) - 1
        for step, (action, reward) in enumerate(zip(self.actions, self.rewards, strict=True)):
            ended = self.is_terminated and step == last
            now, after = self.observations[step : step + 2]
            yield now, action, float(reward), after, ended


def load_demonstrations(
    task: str, path: str | Path | None = None, **kwargs: Any
) -> Iterator[Demonstration]:
    """Replay recorded episodes of a task in our environment, one after the other.

    Each begins in its recorded state; its actions are then played as they were recorded, one per
    control step and each seen once, as VRL3's code does: action repeat 1, where agents play with 2.
    Episodes may be longer than the agent's: people took their time.

    Args:
        task: `"door"`, `"hammer"`, `"pen"` or `"relocate"`.
        path: The folder of a Minari dataset (it holds `data/`); None is `DATASET`, where
            `minari download` put it.
        kwargs: As for `env.make`: `image_size`, `proprioception`, ...

    Raises:
        UnknownName: for a task that does not exist.
        MissingExtra: without Minari, or without the reader of its files.
        AssetsMissing: if the dataset is not on this machine.
        BrokenAsset: if an episode does not tell its initial state.
    """
    TASKS[task]
    dataset = _open(DATASET.format(task=task), path)
    return _replayed(task, dataset, kwargs)  # what is missing is told at the call


def _replayed(task: str, dataset: Any, kwargs: dict[str, Any]) -> Iterator[Demonstration]:
    env = make(task, "clean", action_repeat=1, **kwargs)
    while isinstance(env, gym.wrappers.TimeLimit):
        env = env.env
    try:
        for episode in dataset.iterate_episodes():
            yield _replay(env, _initial_state(dataset, episode.id), episode.actions)
    finally:
        env.close()


def _replay(env: gym.Env, state: dict[str, Any], recorded: Any) -> Demonstration:
    obs, _ = env.reset(seed=0, options={_STATE: state})
    observations, rewards, terminated, info = [obs], [], False, {"is_success": False}
    for action in recorded:
        obs, reward, terminated, _, info = env.step(action)
        observations.append(obs)
        rewards.append(float(reward))
        if terminated:
            break
    actions = np.clip(np.asarray(recorded[: len(rewards)], np.float32), -1.0, 1.0)
    paid = np.array(rewards, np.float32)
    return Demonstration(observations, actions, paid, terminated, info["is_success"])


def _initial_state(dataset: Any, episode: int) -> dict[str, Any]:
    (told,) = dataset.storage.get_episode_metadata([episode])
    state = told.get("options", {}).get(_STATE)
    if state is None:
        raise BrokenAsset(
            f"episode {episode} of {dataset.id!r} does not tell the state in which it begins: "
            f"expected it to be recorded with env.reset(options={{{_STATE!r}: ...}}), as those of "
            f"{DATASET.format(task='<task>')} are"
        )
    return dict(state)


def _open(name: str, path: str | Path | None) -> Any:
    try:
        minari: Any = require("minari", "adroit")
        require("h5py", "adroit")
    except MissingExtra as error:
        raise MissingExtra(
            "demonstrations are read with Minari. Type:  pip install 'minari[hdf5,hf]'"
        ) from error
    try:
        if path is None:
            return minari.load_dataset(name)
        return minari.MinariDataset(Path(path).expanduser() / "data")
    except (FileNotFoundError, ValueError) as error:
        where = f"Minari's folder has no {name}" if path is None else f"no Minari dataset at {path}"
        raise AssetsMissing(
            f"{where}. Type:  minari download {name}   or name a dataset's folder (it holds "
            "data/):  load_demonstrations(task, FOLDER)"
        ) from error
