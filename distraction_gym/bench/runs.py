"""A run's folder: its settings, its model, and how to load them again."""

from __future__ import annotations

import dataclasses
import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distraction_gym.bench.records import commit, versions
from distraction_gym.errors import CheckpointError, require

CONFIG, MODEL, CHECKPOINTS = "config.json", "model.zip", "checkpoints"


@dataclass(frozen=True)
class RunConfig:
    """All that decides what a training run does. JSON types only."""

    algo: str
    env: str
    steps: int
    """Agent steps (decisions), over all environments together."""
    seed: int = 0
    assets: str = "auto"
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    n_envs: int = 1
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """Arguments of the agent's constructor, `policy` among them."""


def agent_class(algo: str) -> Any:
    """Return an agent's class.

    Raises:
        UnknownName: if there is no such agent.
        MissingExtra: without torch or Stable-Baselines3.
    """
    require("torch", "agents")
    require("stable_baselines3", "agents")
    from distraction_gym.agents import AGENTS

    module, _, name = AGENTS[algo].replace(":", ".").rpartition(".")
    return getattr(importlib.import_module(module), name)


def write_config(config: RunConfig, folder: Path) -> None:
    """Write a run's settings, and the versions that it starts with."""
    folder.mkdir(parents=True, exist_ok=True)
    page = {**dataclasses.asdict(config), "versions": versions(), "commit": commit()}
    (folder / CONFIG).write_text(json.dumps(page, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> RunConfig:
    """Read a run's settings.

    Raises:
        CheckpointError: if the folder is not a run's.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is no run: expected a folder with {CONFIG} and {MODEL}, "
            "as `distraction-gym train --out` writes it"
        )
    try:
        page = json.loads(path.read_text(encoding="utf-8"))
        names = {item.name for item in dataclasses.fields(RunConfig)}
        return RunConfig(**{key: value for key, value in page.items() if key in names})
    except (json.JSONDecodeError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def load_model(folder: Path, device: str = "auto") -> Any:
    """Load a run's trained model.

    Raises:
        CheckpointError: if the folder is not a run's, or its training did not end.
    """
    config = read_config(folder)
    if not (folder / MODEL).is_file():
        raise CheckpointError(
            f"{folder} has no {MODEL}: its training has not ended. "
            f"Type:  distraction-gym train --resume --out {folder} --algo {config.algo} "
            f"--env {config.env} -n {config.steps} --seed {config.seed}"
        )
    return agent_class(config.algo).load(folder / MODEL, device=device)
