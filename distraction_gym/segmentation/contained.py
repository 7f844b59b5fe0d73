"""Ultralytics, kept from what a library should not do to the process that imports it.

Importing or using `ultralytics` (8.4) counts users for its makers, asks the name servers whether it
is online, downloads weights, fonts and packages that it misses, writes settings into the user's
configuration folder, sets OpenCV's and torch's threads, seeds every generator, replaces
`torch.save` and `PIL.Image.open`, changes how numpy and torch print and what torch may unpickle,
and unpickles whatever file it is given. `contained()` is the only door through which this package
goes there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import random
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch

from distraction_gym.assets.store import cache_root
from distraction_gym.errors import require

_ENVIRONMENT = {
    "YOLO_AUTOINSTALL": "false",  # no pip in the middle of a run
    "YOLO_OFFLINE": "true",  # no question to the name servers, no counting
    "YOLO_VERBOSE": "false",
}
# Read at import, so that they say nothing to an ultralytics that somebody imported before.
_SWITCHES = (
    ("ultralytics.utils.checks", "AUTOINSTALL", False),
    ("ultralytics.data.utils", "check_font", lambda *names: None),  # downloads one that is missing
)
_TRACKERS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


@contextlib.contextmanager
def contained(*, trust_pickle: bool = False) -> Iterator[ModuleType]:
    """Import `ultralytics`, work with it, and leave the process as it was.

    Not for several threads at once, for what it guards belongs to the process.

    Args:
        trust_pickle: Let files run the code that is pickled in them. Otherwise torch reads none but
            tensors and ultralytics' own layers, which ultralytics can do from 8.4.100 on.

    Raises:
        MissingExtra: without ultralytics.
    """
    settings = {"YOLO_CONFIG_DIR": os.environ.get("YOLO_CONFIG_DIR", str(cache_root()))}
    safe = {} if trust_pickle else {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    with contextlib.ExitStack() as stack:
        for guard in _GUARDS:
            stack.enter_context(guard())
        os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)  # torch refuses to have both
        os.environ.update({**_ENVIRONMENT, **settings, **safe})
        ultralytics = require("ultralytics", "sam")
        stack.enter_context(_quiet())
        for module, name, value in (*_SWITCHES, ("ultralytics.nn.tasks", "SAFE_LOAD", bool(safe))):
            stack.enter_context(_set(importlib.import_module(module), name, value))
        yield ultralytics


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _printing() -> Iterator[None]:
    ours, torchs = np.get_printoptions(), torch._tensor_str.get_printoptions()
    try:
        yield
    finally:
        np.set_printoptions(**ours)
        torch.set_printoptions(**torchs)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _threads() -> Iterator[None]:
    opencvs, torchs = cv2.getNumThreads(), torch.get_num_threads()
    try:
        yield
    finally:
        cv2.setNumThreads(opencvs)
        torch.set_num_threads(torchs)


@contextlib.contextmanager
def seeds_apart() -> Iterator[None]:
    """Put back the global generators and torch's determinism, which its trainer sets."""
    pythons, numpys = random.getstate(), np.random.get_state()
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        torch.backends.cudnn.deterministic = cudnn
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]


@contextlib.contextmanager
def _patched() -> Iterator[None]:
    """Put back what it replaces in other packages; it finds its own versions by itself."""
    picture = importlib.import_module("PIL.Image") if _has("PIL") else None
    saved = [(torch, "save"), *([(picture, "open")] if picture else [])]
    originals = [(owner, name, getattr(owner, name)) for owner, name in saved]
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


@contextlib.contextmanager
def _safe_globals() -> Iterator[None]:
    """Forget again what may be unpickled: its networks are built with `eval`."""
    before = torch.serialization.get_safe_globals()
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


_GUARDS = (_environment, _printing, _threads, _patched, _safe_globals, warnings.catch_warnings)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence it, and keep it from reporting to services, whatever its settings say."""
    utils = importlib.import_module("ultralytics.utils")
    events = importlib.import_module("ultralytics.utils.events").events
    settings: dict[str, Any] = utils.SETTINGS
    before, level = dict(settings), utils.LOGGER.level
    off: Mapping[str, bool] = dict.fromkeys((*_TRACKERS, "sync"), False)
    dict.update(settings, off)  # not settings.update, which would write the user's file
    utils.LOGGER.setLevel(logging.ERROR)
    try:
        with _set(events, "enabled", False):
            yield
    finally:
        utils.LOGGER.setLevel(level)
        dict.update(settings, before)


@contextlib.contextmanager
def _set(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute for a while; what an older or newer version lacks is left alone."""
    if not hasattr(owner, name):
        yield
        return
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
