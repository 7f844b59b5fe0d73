"""Model files of Stable-Baselines3's own `save`. They hold pickled code: reading one runs it."""

from __future__ import annotations

import zipfile
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.save_util import load_from_zip_file

from distraction_gym.errors import CheckpointError


def is_sb3_file(archive: zipfile.ZipFile) -> bool:
    """Return whether an open zip is such a file, by its names alone: nothing is read."""
    names = archive.namelist()
    return "data" in names and "model.json" not in names


def sb3_objects(
    cls: type[BaseAlgorithm],
    path: Any,
    custom_objects: dict[str, Any],
    networks: dict[str, Any],
) -> dict[str, Any]:
    """Return the `custom_objects` with which SB3's `load` builds `cls` from a file of SB3's own.

    A policy that `cls` has under the same name takes the place of the file's.

    Args:
        cls: An algorithm that derives from SB3's.
        path: The file, **which is trusted**.
        custom_objects: The caller's.
        networks: Policy keywords with which `cls` builds SB3's own networks.

    Raises:
        CheckpointError: if the file's policy belongs to another algorithm, or to one that `cls`
            has not.
    """
    data, _, _ = load_from_zip_file(path, custom_objects=custom_objects, device="cpu")
    assert data is not None
    policy = data["policy_class"]
    if issubclass(policy, tuple(cls.policy_aliases.values())):
        return custom_objects
    name = _alias(cls, policy)
    if name not in cls.policy_aliases:
        raise CheckpointError(
            f"{path} holds a {policy.__module__}.{policy.__qualname__}, which {cls.__name__} does "
            f"not have; it has {', '.join(cls.policy_aliases)}. Load it with the class of "
            "Stable-Baselines3 that wrote it"
        )
    kwargs = {**data["policy_kwargs"], **networks}
    return {**custom_objects, "policy_class": cls.policy_aliases[name], "policy_kwargs": kwargs}


def _alias(cls: type[BaseAlgorithm], policy: type[BasePolicy]) -> str:
    """Return what a parent of `cls` calls a policy, or nothing."""
    for parent in cls.__mro__:
        for name, known in vars(parent).get("policy_aliases", {}).items():
            if known is policy:
                return name
    return ""
