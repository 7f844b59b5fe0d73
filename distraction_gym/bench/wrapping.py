"""Wrappers that a run's settings name."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium as gym

from distraction_gym.bench.runs import RunConfig

WRAPPERS = ("distraction_gym.wrappers", "gymnasium.wrappers")
"""Modules of which a preset may name wrappers."""
_FOR_TRAINING = "distraction_gym.wrappers.AddForegroundMask"
"""Tells masks in `info`, of which only training knows."""


def wrapped(env: gym.Env, run: RunConfig, *, testing: bool = False) -> gym.Env:
    """Put the wrappers of a run's `env_wrapper` around an environment, the outermost last.

    The setting is `"module.Class"`, `{"module.Class": {**arguments}}`, or a list of these.

    Args:
        env: The environment.
        run: The run.
        testing: Leave out masks that only training reads, for they take time.

    Raises:
        PresetError: for a class that is no wrapper of `WRAPPERS`.
    """
    named = run.hyperparameters.get("env_wrapper", [])
    for entry in named if isinstance(named, list) else [named]:
        name, arguments = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        if not (testing and name == _FOR_TRAINING and not arguments.get("observe")):
            env = _class(name)(env, **arguments)
    return env


def _class(name: str) -> Any:
    module, _, cls = name.rpartition(".")
    # A run's settings are data: they name wrappers, and no other code.
    found = getattr(importlib.import_module(module), cls, None) if module in WRAPPERS else None
    if found is None:
        from distraction_gym.agents.common.presets import PresetError  # YAML, only here

        raise PresetError(f"env_wrapper {name!r} is no wrapper of {' or '.join(WRAPPERS)}")
    return found
