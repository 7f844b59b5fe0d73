"""Errors of the package, each naming what was wrong, what was expected and what to type."""

from __future__ import annotations

import importlib
from types import ModuleType


class DistractionGymError(Exception):
    """Base of every error that the package raises on purpose."""


class UnknownName(DistractionGymError, KeyError):
    """A name that no registry, table or suite holds."""

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0])


class UnsupportedEnvironment(DistractionGymError, TypeError):
    """An environment (or its observation space) that a wrapper or agent cannot work on."""


class AssetsMissing(DistractionGymError, FileNotFoundError):
    """Clips, colour tables or pictures that are not on this machine."""


class BrokenAsset(DistractionGymError, ValueError):
    """A clip, colour table or picture that exists but cannot be read."""


class RenderingUnavailable(DistractionGymError, RuntimeError):
    """No OpenGL backend works here."""


class CheckpointError(DistractionGymError, ValueError):
    """A checkpoint of another algorithm or version, or one that cannot be read."""


class TrainingDiverged(DistractionGymError, ArithmeticError):
    """A loss or a gradient that is no finite number; the weights stay as they were before it."""


class MissingExtra(DistractionGymError, ImportError):
    """An optional dependency that is not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra installs it.

    Raises:
        MissingExtra: if `module` is not installed. One that is broken raises its own error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise  # installed, but something beneath it is broken: show the real cause
        raise MissingExtra(
            f"{module} is not installed. Type:  pip install 'distraction-gym[{extra}]'"
        ) from error
