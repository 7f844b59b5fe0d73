"""Checkpoints from which a killed run goes on as if it had not been.

A folder of checkpoints holds one subfolder per save, `0007-step-12000`, complete from the moment
that it has this name:

- `meta.json`: format, algorithm, step;
- `model.zip`: settings, networks and optimizers, the file that `model.save` writes;
- `session.pth`: counters, random states, last observations (read with `weights_only`);
- `replay/`: the replay buffer as plain arrays;
- `env.pkl`: the environment itself in the middle of its episode. This one is pickled code and is
  read by `resume` only, which is for the run that wrote it. **Never resume a folder that a
  stranger gave you**; `load_checkpoint` and `load` are safe.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_normalize

from distraction_gym import __version__
from distraction_gym.agents.common import session
from distraction_gym.agents.common.atomic import atomic_folder, remove_folder, sweep
from distraction_gym.agents.common.env_state import pickle_env
from distraction_gym.agents.common.model_files import between_updates, read_parameters, write_model
from distraction_gym.agents.common.replay_files import read_replay, settle, write_replay
from distraction_gym.errors import CheckpointError

FORMAT = 1
"""Version of the layout; a reader takes only its own."""

# What reading a damaged file, or a pickled class that has since moved, can end in.
_BROKEN = (
    *(OSError, LookupError, EOFError, RuntimeError, ValueError, ImportError, AttributeError),
    pickle.UnpicklingError,
)


def save_checkpoint(model: OffPolicyAlgorithm, folder: str | Path, keep: int = 2) -> Path:
    """Write a checkpoint into a folder of checkpoints, then drop the oldest beyond `keep`.

    Call it between updates and steps: from a callback's `_on_rollout_start`, or outside `learn`.

    Returns:
        The new subfolder.

    Raises:
        CheckpointError: if it cannot be written (a full disk); the checkpoints before it stay.
    """
    folder = Path(folder).absolute()
    older = _checkpoints(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        number = int(older[-1].name.split("-")[0]) + 1 if older else 1
        target = folder / f"{number:04d}-step-{model.num_timesteps}"
        with atomic_folder(target) as part, between_updates(model):
            _write(model, part)
    except OSError as error:
        stands = f"{older[-1]} still stands" if older else "there is none before it"
        raise CheckpointError(
            f"cannot write a checkpoint to {folder}: {error}; {stands}"
        ) from error
    assert model.replay_buffer is not None
    settle(model.replay_buffer, target / "replay")
    for path in _checkpoints(folder)[:-keep]:
        remove_folder(path)
    return target


def latest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest complete checkpoint of a folder, or None."""
    found = _checkpoints(Path(folder))
    return found[-1] if found else None


def load_checkpoint(model: OffPolicyAlgorithm, path: str | Path) -> None:
    """Put a checkpoint into a model that was built with the settings of the run.

    Networks, optimizers, replay buffer, counters and random states return; the environment starts
    a new episode, from a seed derived from the run's seed and step. Safe on a stranger's folder.

    Args:
        model: Built with the same algorithm, policy and buffer arguments.
        path: A checkpoint, or a folder of them, of which the newest is taken.

    Raises:
        CheckpointError: for another algorithm or format, settings that do not fit, missing or
            broken files.
    """
    _load(model, _found(Path(path).absolute()), with_env=False)


def resume(model: OffPolicyAlgorithm, path: str | Path) -> None:
    """Do what `load_checkpoint` does, and go on in the middle of the episode.

    `model.learn(total - model.num_timesteps, reset_num_timesteps=False)` then reaches the weights
    of a run that was never killed. The environment is unpickled, which can run code: resume only
    folders that you wrote. Where the environment could not be pickled, the run starts a new
    episode, as `load_checkpoint` does. The restored environment is `model.get_env()`.

    Raises:
        CheckpointError: as `load_checkpoint`.
    """
    _load(model, _found(Path(path).absolute()), with_env=True)


def _checkpoints(folder: Path) -> list[Path]:
    """List complete checkpoints, oldest first."""
    return sorted(folder.glob("[0-9]*-step-*"), key=lambda path: int(path.name.split("-")[0]))


def _found(path: Path) -> Path:
    found = path if (path / "meta.json").exists() else latest_checkpoint(path)
    if found is None:
        raise CheckpointError(f"no checkpoint in {path}: expected folders such as 0001-step-10000")
    return found


def _write(model: OffPolicyAlgorithm, folder: Path) -> None:
    meta = {
        "format": FORMAT,
        "package": __version__,
        "algorithm": type(model).__name__,
        "num_timesteps": model.num_timesteps,
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))
    with (folder / "model.zip").open("wb") as file:
        write_model(model, file)
    session.write(model, folder / "session.pth")
    assert model.replay_buffer is not None and model.env is not None
    write_replay(model.replay_buffer, folder / "replay")
    pickled = pickle_env(model.env)
    if pickled is not None:
        (folder / "env.pkl").write_bytes(pickled)


def _load(model: OffPolicyAlgorithm, folder: Path, with_env: bool) -> None:
    assert model.replay_buffer is not None
    _check_meta(folder, type(model).__name__)
    try:
        read_parameters(model, folder / "model.zip")
        read_replay(model.replay_buffer, folder / "replay")
        settle(model.replay_buffer, folder / "replay")
        pickled = folder / "env.pkl"
        env = pickle.loads(pickled.read_bytes()) if with_env and pickled.exists() else None
        if env is None:
            session.restart_env(model, int(_meta(folder)["num_timesteps"]))
        else:
            _set_env(model, env)
        session.read(model, folder / "session.pth", mid_episode=env is not None)
    except CheckpointError:
        raise
    except _BROKEN as error:
        raise CheckpointError(
            f"cannot read {folder}: {error!r}. Remove that folder to go on from the one before it."
        ) from error


def _meta(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "meta.json").read_text())


def _check_meta(folder: Path, algorithm: str) -> None:
    meta = _meta(folder)
    if meta["format"] != FORMAT:
        raise CheckpointError(
            f"{folder} has format {meta['format']} (distraction_gym {meta['package']}), expected "
            f"format {FORMAT}. Type:  pip install 'distraction-gym=={meta['package']}'"
        )
    if meta["algorithm"] != algorithm:
        raise CheckpointError(
            f"{folder} holds a run of {meta['algorithm']}, expected {algorithm}: "
            "give another folder, or train the algorithm that the folder is of"
        )


def _set_env(model: OffPolicyAlgorithm, env: VecEnv) -> None:
    check_for_correct_spaces(env, model.observation_space, model.action_space)
    if env.num_envs != model.n_envs:
        raise CheckpointError(f"the checkpoint has {env.num_envs} environments, not {model.n_envs}")
    model.env = env
    model._vec_normalize_env = unwrap_vec_normalize(env)
