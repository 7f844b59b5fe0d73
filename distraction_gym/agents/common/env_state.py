"""An environment as bytes, in the middle of its episode, for the run that wrote it."""

from __future__ import annotations

import inspect
import io
import warnings
from typing import Any

import cloudpickle
import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper


def pickle_env(env: VecEnv) -> bytes | None:
    """Pickle a vectorised environment with its state, or warn why not and return None."""
    forgetful = [type(layer).__name__ for layer in _layers(env) if _forgets(layer)]
    file = io.BytesIO()
    try:
        if forgetful:
            raise TypeError(f"{forgetful[0]} pickles its arguments only (EzPickle)")
        _Pickler(file).dump(env)
    except Exception as error:  # whatever the members of somebody's environment raise
        warnings.warn(
            f"the environment's state cannot be saved ({error}): a resumed run starts a new "
            "episode and so differs from an uninterrupted one",
            stacklevel=2,
        )
        return None
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, VecEnvWrapper):
            # These keep a table of their class's members, which pickle cannot take, and
            # VecNormalize would leave out the environment that it wraps.
            state = {name: v for name, v in vars(obj).items() if name != "class_attributes"}
            return _blank, (type(obj),), state, None, None, _restore
        return super().reducer_override(obj)


def _blank(kind: type[VecEnvWrapper]) -> VecEnvWrapper:
    return object.__new__(kind)


def _restore(wrapper: VecEnvWrapper, state: dict[str, Any]) -> None:
    vars(wrapper).update(state)
    wrapper.class_attributes = dict(inspect.getmembers(type(wrapper)))


def _layers(env: Any) -> list[Any]:
    """List an environment's layers: vectorised wrappers, then each environment's own."""
    inner: list[Any]
    if isinstance(env, VecEnvWrapper):
        inner = [env.venv]
    elif isinstance(env, gym.Wrapper):
        inner = [env.env]
    else:
        inner = getattr(env, "envs", [])
    return [env, *(layer for part in inner for layer in _layers(part))]


def _forgets(layer: Any) -> bool:
    return getattr(type(layer), "__getstate__", None) is gym.utils.EzPickle.__getstate__
