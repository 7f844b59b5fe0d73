"""Hyperparameters of a method, from `presets.yml` in its folder.

The file has the shape of rl-zoo3's: environment IDs as keys, and under each what `n_envs`,
`n_timesteps`, `policy`, `env_wrapper` and the agent's own arguments shall be. Beside exact IDs a
key may be a pattern, such as `distraction_gym/dmcgb-*`, or `default`.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from distraction_gym.errors import DistractionGymError

Preset = dict[str, Any]

RUN_KEYS = ("n_timesteps", "n_envs", "policy", "env_wrapper", "env_kwargs")
"""What a preset may say beside the agent's arguments, as in rl-zoo3."""


class PresetError(DistractionGymError, ValueError):
    """A presets file that cannot be read, or a key that the agent does not know."""


def load_preset(agent: str, env_id: str) -> Preset:
    """Return the hyperparameters of an agent for an environment.

    Args:
        agent: A name in `distraction_gym.agents.AGENTS`, such as `"madi"`.
        env_id: The environment's registered ID.

    Raises:
        UnknownName: for an agent that does not exist.
        PresetError: for a broken file or an unknown key, with the nearest known one.
    """
    agents = importlib.import_module("distraction_gym.agents")
    module, _, name = agents.AGENTS[agent].replace(":", ".").rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    file = resources.files("distraction_gym.agents") / agent / "presets.yml"
    where = f"{agent}/presets.yml"
    preset = select(read(file.read_text("utf-8"), where), env_id)
    check(preset, cls, where)
    return preset


def read(text: str, where: str = "presets.yml") -> dict[str, Preset]:
    """Parse a presets file; only plain YAML is read, never `!!python` tags.

    Raises:
        PresetError: for what is not a mapping from IDs to mappings, and for numbers that YAML
            reads as text (`1e-3`).
    """
    try:
        presets = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise PresetError(f"{where} cannot be read: {error}") from error
    if not isinstance(presets, dict):
        raise PresetError(f"{where} must map environment IDs to settings, got {presets!r}")
    for key, preset in presets.items():
        if not isinstance(preset, dict):
            raise PresetError(f"{where}: {key!r} must hold settings, got {preset!r}")
        _check_values(preset, f"{where}: {key!r}")
    return presets


def select(presets: Mapping[str, Preset], env_id: str) -> Preset:
    """Merge what concerns an environment: `default`, then patterns in order, then its own ID.

    Later settings replace earlier ones; mappings among them (`policy_kwargs`) are merged.
    """
    patterns = [key for key in presets if key not in ("default", env_id)]
    keys = ["default", *(key for key in patterns if fnmatch.fnmatchcase(env_id, key)), env_id]
    merged: Preset = {}
    for key in keys:
        for name, value in presets.get(key, {}).items():
            old = merged.get(name)
            if isinstance(old, dict) and isinstance(value, dict):
                value = {**old, **value}
            merged[name] = value
    return merged


def check(preset: Mapping[str, Any], cls: type, where: str = "presets.yml") -> None:
    """Check that the agent takes every argument.

    Raises:
        PresetError: for an unknown key, naming the nearest known one.
    """
    known = {*RUN_KEYS, *_arguments(cls)}
    for key in preset:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
            raise PresetError(f"{where}: {cls.__name__} has no setting {key!r}. {hint}")


def _arguments(cls: type) -> set[str]:
    """Name the constructor's arguments, those of the parents too as far as **kwargs hands on."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names - {"self", "env", "_init_setup_model"}


def _check_values(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_values(item, f"{where}, {key}")
    elif isinstance(value, list):
        for item in value:
            _check_values(item, where)
    elif isinstance(value, str):
        _check_text(value, where)


def _check_text(value: str, where: str) -> None:
    if value.startswith("dict("):  # rl-zoo3 evaluates such text
        raise PresetError(f"{where} is code, {value!r}, and is not run: write it as a mapping")
    try:
        number = float(value)
    except ValueError:
        return
    # YAML 1.1 wants a dot and a sign in a number with an exponent, or takes it for a word.
    raise PresetError(f"{where} is the text {value!r}, not a number: write {_dotted(number)}")


def _dotted(number: float) -> str:
    mantissa, exponent, power = repr(number).partition("e")
    point = "" if "." in mantissa else ".0"
    return f"{mantissa}{point}{exponent}{power}"
