"""Settings of a model as JSON: spaces, classes and tuples become tagged dictionaries.

Reading never runs code of the file's choosing: a class is found by name in the packages that
models are made of, and only if it is of a kind that a model has.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import TrainFreq

from distraction_gym.errors import CheckpointError

TAG = "__kind__"
_PACKAGES = ("torch", "stable_baselines3", "sb3_contrib", "distraction_gym")
_KINDS = (torch.nn.Module, torch.optim.Optimizer, ReplayBuffer)


class NotPlainError(TypeError):
    """A value that cannot be written as data."""


def to_plain(value: Any) -> Any:
    """Turn a setting into what JSON can hold.

    Raises:
        NotPlainError: for functions and for objects of other classes.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, spaces.Space):  # before mappings: a Dict space is one too
        return {TAG: "space", **_space(value)}
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, TrainFreq):
        return {TAG: "train_freq", "items": [value.frequency, value.unit.value]}
    if isinstance(value, tuple):
        return {TAG: "tuple", "items": [to_plain(item) for item in value]}
    if isinstance(value, list):
        return [to_plain(item) for item in value]
    if inspect.isclass(value):
        return {TAG: "class", "name": f"{value.__module__}:{value.__qualname__}"}
    raise NotPlainError(f"{type(value).__name__} {value!r} cannot be written as data")


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in value) or TAG in value:
        raise NotPlainError(f"a dictionary needs text as keys, {TAG} not among them: {value!r}")
    return {key: to_plain(item) for key, item in value.items()}


def from_plain(value: Any) -> Any:
    """Undo `to_plain`.

    Raises:
        CheckpointError: for a class that a model file must not name.
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: from_plain(item) for key, item in value.items()}
    if value[TAG] not in _READERS:
        raise CheckpointError(f"unknown kind of setting {value[TAG]!r} in the model file")
    return _READERS[value[TAG]](value)


def _space(space: spaces.Space) -> dict[str, Any]:
    if isinstance(space, spaces.Box):
        bounds = {"low": _bound(space.low), "high": _bound(space.high)}
        return {"type": "Box", **bounds, "shape": list(space.shape), "dtype": str(space.dtype)}
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": [[k, to_plain(v)] for k, v in space.spaces.items()]}
    raise NotPlainError(f"space {space} cannot be written as data")


def _bound(bound: np.ndarray) -> Any:
    """One number where all are the same: an 84x84 picture has 63,504 equal bounds."""
    return bound.flat[0].item() if (bound == bound.flat[0]).all() else bound.tolist()


def _read_space(value: dict[str, Any]) -> spaces.Space:
    if value["type"] == "Box":
        shape, dtype = tuple(value["shape"]), np.dtype(value["dtype"])
        low, high = (np.broadcast_to(np.array(value[k], dtype), shape) for k in ("low", "high"))
        return spaces.Box(low.copy(), high.copy(), shape, dtype.type)
    if value["type"] == "Discrete":
        return spaces.Discrete(value["n"], start=value["start"])
    return spaces.Dict([(key, from_plain(item)) for key, item in value["spaces"]])


def _read_class(value: dict[str, Any]) -> type:
    module, _, name = value["name"].partition(":")
    found: Any = None
    # A `__main__` runs when it is imported.
    if module.split(".")[0] in _PACKAGES and "__" not in module:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
    if not (inspect.isclass(found) and issubclass(found, _KINDS)):
        raise CheckpointError(
            f"the model file names the class {value['name']!r}. A file may name networks, "
            f"optimizers and buffers of {', '.join(_PACKAGES)}; give others yourself: "
            "load(path, custom_objects={'policy_kwargs': {...}})"
        )
    return found


def _items(value: dict[str, Any]) -> Sequence[Any]:
    return [from_plain(item) for item in value["items"]]


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "tuple": lambda value: tuple(_items(value)),
    "train_freq": lambda value: tuple(_items(value)),  # _setup_model makes it a TrainFreq again
    "space": _read_space,
    "class": _read_class,
}
