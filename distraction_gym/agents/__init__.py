"""Agents that act from pictures, with Stable-Baselines3's five verbs; one folder per method.

>>> from distraction_gym.agents import MaDi
"""

from __future__ import annotations

import importlib
from typing import Any

from distraction_gym.registry import Registry

AGENTS: Registry[str] = Registry("agent")
"""Name on the command line -> `"module:class"`; torch loads when the class is asked for."""

# In the order of tables: from the baseline to what builds on it.
_CLASSES = {
    "sac": "SAC",
    "rad": "RAD",
    "drq": "DrQ",
    "drqv2": "DrQv2",
    "curl": "CURL",
    "soda": "SODA",
    "pad": "PAD",
    "srm": "SRM",
    "svea": "SVEA",
    "sgqn": "SGQN",
    "smg": "SMG",
    "pieg": "PIEG",
    "madi": "MaDi",
    "trms": "TRMS",
    "dreamer": "Dreamer",
    "sd": "SD",
    "repo": "RePo",
    "dreamerpro": "DreamerPro",
    "tia": "TIA",
    "tdmpc2": "TDMPC2",
}
for _name, _class in _CLASSES.items():
    AGENTS.add(_name, f"distraction_gym.agents.{_name}:{_class}")

_MODULES = {path.split(":")[1]: path.split(":")[0] for path in AGENTS.values()}
_MODULES["TRMSSAC"] = "distraction_gym.agents.trms"
_MODULES["MaskerExtractor"] = "distraction_gym.agents.madi.extractor"
_MODULES["MaskSelectorExtractor"] = "distraction_gym.agents.trms.extractor"
_MODULES["SeparatedExtractor"] = "distraction_gym.agents.smg.extractor"

__all__ = [
    "AGENTS",
    "CURL",
    "PAD",
    "PIEG",
    "RAD",
    "SAC",
    "SD",
    "SGQN",
    "SMG",
    "SODA",
    "SRM",
    "SVEA",
    "TDMPC2",
    "TIA",
    "TRMS",
    "TRMSSAC",
    "DrQ",
    "DrQv2",
    "Dreamer",
    "DreamerPro",
    "MaDi",
    "MaskSelectorExtractor",
    "MaskerExtractor",
    "RePo",
    "SeparatedExtractor",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
