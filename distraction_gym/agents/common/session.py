"""The state of a run outside its networks: counters, random states, where the episode stands."""

from __future__ import annotations

import io
import random
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from distraction_gym.agents.common.plain import from_plain, to_plain

_ARRAYS = ("_last_obs", "_last_original_obs", "_last_episode_starts")
# Private numbers that belong to the call of `learn` or to the logger, not to the run.
_NOT_COUNTERS = {"_num_timesteps_at_start", "_stats_window_size", "_custom_logger"}


def write(model: OffPolicyAlgorithm, path: Path) -> None:
    """Write a model's counters, last observations, and all random states of this process."""
    state = {
        "counters": _counters(model),
        "arrays": {name: _tensors(getattr(model, name)) for name in _array_names(model)},
        "episodes": [to_plain(info) for info in model.ep_info_buffer or ()],
        "successes": [bool(flag) for flag in model.ep_success_buffer or ()],
        "random": _random_states(model),
        "returns": _scale_of_returns(model),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getbuffer())


def read(model: OffPolicyAlgorithm, path: Path, mid_episode: bool) -> None:
    """Restore what `write` wrote; without `mid_episode` the environment will be reset first."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    vars(model).update(state["counters"])
    for name, value in state["arrays"].items():
        setattr(model, name, _arrays(value) if mid_episode else None)
    window = model._stats_window_size
    model.ep_info_buffer = deque(map(from_plain, state["episodes"]), maxlen=window)
    model.ep_success_buffer = deque(state["successes"], maxlen=window)
    _restore_random_states(model, state["random"])
    scale = _returns_of(model)
    if scale is not None and state.get("returns"):
        scale.mean, scale.var, scale.count = (np.float64(value) for value in state["returns"])


def restart_env(model: OffPolicyAlgorithm, step: int) -> None:
    """Seed the environment for a new episode at a step of the run, unless the run has no seed."""
    if model.seed is not None and model.env is not None:
        # Another seed than at the start, which would replay the run's first episodes.
        model.env.seed(int(np.random.SeedSequence([model.seed, step]).generate_state(1)[0]))


def _counters(model: OffPolicyAlgorithm) -> dict[str, bool | int | float]:
    """Collect `num_timesteps` and every private number, an agent's own included."""
    return {
        name: to_plain(value)
        for name, value in vars(model).items()
        if (name.startswith("_") or name == "num_timesteps")
        and name not in _NOT_COUNTERS
        and isinstance(value, (bool, int, float, np.number))
    }


def _returns_of(model: OffPolicyAlgorithm) -> Any:
    """Return the running statistics by which `VecNormalize` scales rewards, or None."""
    return getattr(model.get_vec_normalize_env(), "ret_rms", None)


def _scale_of_returns(model: OffPolicyAlgorithm) -> list[float]:
    scale = _returns_of(model)
    return [] if scale is None else [float(scale.mean), float(scale.var), float(scale.count)]


def _array_names(model: OffPolicyAlgorithm) -> tuple[str, ...]:
    """Name the arrays that say where episodes stand, an agent's own memory included."""
    return (*_ARRAYS, *getattr(model, "SESSION_ARRAYS", ()))


def _tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: torch.from_numpy(item.copy()) for key, item in value.items()}
    return None if value is None else torch.from_numpy(value.copy())


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item.numpy() for key, item in value.items()}
    return None if value is None else value.numpy()


def _random_states(model: OffPolicyAlgorithm) -> dict[str, Any]:
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [name, torch.tensor(np.asarray(keys, np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        # Draws the actions before learning starts.
        "action_space": to_plain(model.action_space.np_random.bit_generator.state),
    }


def _restore_random_states(model: OffPolicyAlgorithm, state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    model.action_space.np_random.bit_generator.state = state["action_space"]
