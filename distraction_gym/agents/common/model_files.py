"""Model files that are data: JSON settings and tensors in a zip, no pickled code in or out."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import pickle
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import recursive_getattr, recursive_setattr
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import check_for_correct_spaces, get_system_info

from distraction_gym import __version__
from distraction_gym.agents.common.plain import NotPlainError, from_plain, to_plain
from distraction_gym.agents.common.sb3_files import is_sb3_file, sb3_objects
from distraction_gym.assets.files import atomic_file
from distraction_gym.errors import CheckpointError, DistractionGymError

FORMAT = 1
"""Version of the layout; a reader takes only its own."""

# The state of a run, which a checkpoint keeps, and what `_setup_model` works out again.
_NOT_SETTINGS = {
    *("_last_obs", "_last_original_obs", "_last_episode_starts", "ep_info_buffer"),
    *("ep_success_buffer", "lr_schedule", "batch_norm_stats", "batch_norm_stats_target"),
}
Source = str | pathlib.Path | io.BufferedIOBase
Algorithm = TypeVar("Algorithm", bound="SafeSaveMixin")


class SafeSaveMixin:
    """`save` and `load` of Stable-Baselines3 without pickle; put it before the algorithm's class.

    A subclass keeps settings as attributes that JSON can hold, builds objects from them in
    `_setup_model`, and names further networks and optimizers in `_get_torch_save_params`.
    """

    sb3_networks: ClassVar[dict[str, Any]] = {}
    """Policy keywords with which the class builds Stable-Baselines3's own networks."""

    def save(
        self,
        path: Source,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Save settings, networks and optimizers, in full or not at all.

        Args:
            path: A file's name (`.zip` is added where no ending is given), or an open binary file.
            exclude: Settings to leave out.
            include: Settings to keep that are left out by default.
        """
        left_out = set(exclude or ()) - set(include or ())
        with between_updates(self):
            if isinstance(path, (str, pathlib.Path)):
                with atomic_file(_named(path)) as file:
                    write_model(self, file, left_out)  # type: ignore[arg-type]
            else:
                write_model(self, path, left_out)  # type: ignore[arg-type]

    @classmethod
    def load(
        cls: type[Algorithm],
        path: Source,
        env: GymEnv | None = None,
        device: torch.device | str = "auto",
        custom_objects: dict[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        *,
        trust_pickle: bool = False,
        **kwargs: Any,
    ) -> Algorithm:
        """Build the model that a file holds. Running this on a stranger's file is safe.

        Files of Stable-Baselines3's own `save` hold pickled code, which reading them runs. They
        are refused unless you trust them; a `CnnPolicy` of its SAC then comes with its networks
        as they are (`share_encoder=False`), and further settings at this class's defaults.

        Args:
            path: What `save` was given.
            env: An environment to go on with; none is needed to predict.
            device: Where the model goes.
            custom_objects: Settings to use instead of the file's, such as classes of your own.
            print_system_info: Print the machine and package versions first.
            force_reset: Accepted for Stable-Baselines3's sake: the environment always starts anew.
            trust_pickle: Read files of Stable-Baselines3's own `save` too, and run what is in
                them. Only for files of people whom you trust.
            **kwargs: Attributes to set on the model.

        Raises:
            CheckpointError: for a file of another algorithm, format or origin.
        """
        if print_system_info:
            get_system_info()
        with _opened(path) as archive:
            if trust_pickle and is_sb3_file(archive):
                return cls._load_sb3(path, env, device, custom_objects or {}, kwargs)
            head = _head(archive, path, cls.__name__)
            tensors = _tensors(archive)
        data = _settings(head["settings"], custom_objects or {})
        data.update(kwargs)
        wrapped = None
        if env is not None:
            wrapped = cls._wrap_env(env, data.get("verbose", 0))  # type: ignore[attr-defined]
            check_for_correct_spaces(wrapped, data["observation_space"], data["action_space"])
            data["n_envs"] = wrapped.num_envs
        arguments = {"policy": data["policy_class"], "env": wrapped, "device": device}
        model = cls(**arguments, _init_setup_model=False)  # type: ignore[call-arg]
        vars(model).update(data)
        model._setup_model()  # type: ignore[attr-defined]
        _put(model, tensors, path)  # type: ignore[arg-type]
        return model

    @classmethod
    def _load_sb3(
        cls: type[Algorithm],
        path: Source,
        env: GymEnv | None,
        device: torch.device | str,
        custom_objects: dict[str, Any],
        kwargs: dict[str, Any],
    ) -> Algorithm:
        """Hand a trusted file to Stable-Baselines3's loader."""
        try:
            objects = sb3_objects(cls, path, custom_objects, cls.sb3_networks)  # type: ignore[arg-type]
            return super().load(path, env, device, objects, **kwargs)  # type: ignore[misc]
        except DistractionGymError:
            raise
        except (AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} does not fit {cls.__name__}: {error}") from error


def between_updates(model: Any) -> contextlib.AbstractContextManager[None]:
    """Return a context in which a model makes no update, even one that learns in a thread."""
    ask = getattr(model, "between_updates", None)
    return contextlib.nullcontext() if ask is None else ask()


def write_model(model: BaseAlgorithm, file: Any, exclude: Iterable[str] = ()) -> None:
    """Write any algorithm of Stable-Baselines3 into an open binary file.

    A setting that is no data (a function, an object) is left out with a warning that names it;
    a learning-rate schedule is replaced by its present value.
    """
    names, variables = model._get_torch_save_params()
    held = {name.split(".")[0] for name in names + variables}
    skip = held | set(exclude) | set(model._excluded_save_params()) | _NOT_SETTINGS
    settings: dict[str, Any] = {}
    for name, value in vars(model).items():
        if name not in skip:
            _collect(settings, name, value, model)
    head = {"format": FORMAT, "algorithm": type(model).__name__, "package": __version__}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.json", json.dumps({**head, "settings": settings}, indent=1))
        for name, state in model.get_parameters().items():
            _write_tensors(archive, name, state)
        values = {name: recursive_getattr(model, name).detach() for name in variables}
        _write_tensors(archive, "pytorch_variables", values)


def read_parameters(model: BaseAlgorithm, path: pathlib.Path) -> None:
    """Put a file's networks and optimizers into a model that exists already.

    Raises:
        CheckpointError: for a file of another algorithm or format, or another architecture.
    """
    with _opened(path) as archive:
        _head(archive, path, type(model).__name__)
        tensors = _tensors(archive)
    _put(model, tensors, path)


def _collect(settings: dict[str, Any], name: str, value: Any, model: BaseAlgorithm) -> None:
    if name == "learning_rate" and callable(value):
        value = float(value(model._current_progress_remaining))
    try:
        settings[name] = to_plain(value)
    except NotPlainError as error:
        warnings.warn(f"not saved with the model: {name} ({error})", stacklevel=4)


def _write_tensors(archive: zipfile.ZipFile, name: str, state: dict[str, Any]) -> None:
    # Through memory, for torch answers a full disk with errors of its own.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    archive.writestr(f"{name}.pth", buffer.getbuffer())


@contextlib.contextmanager
def _opened(path: Source) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path if isinstance(path, io.IOBase) else _existing(path)) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is not a model file: {error}") from error


def _head(archive: zipfile.ZipFile, path: Source, algorithm: str) -> dict[str, Any]:
    if is_sb3_file(archive):
        raise CheckpointError(
            f"{path} was written by Stable-Baselines3's own save: it holds pickled code, which "
            f"runs when it is loaded. Load it with the class that wrote it; or, if you trust "
            f"whoever made it, type:  {algorithm}.load(..., trust_pickle=True)"
        )
    try:
        head = json.loads(archive.read("model.json"))
        found, package = head["format"], head["package"]
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a model file, or only a part of one") from error
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has format {found} (distraction_gym {package}); this is "
            f"{__version__}, which reads format {FORMAT}. "
            f"Type:  pip install 'distraction-gym=={package}'"
        )
    if head["algorithm"] != algorithm:
        found = head["algorithm"]
        raise CheckpointError(
            f"{path} holds {found}, expected {algorithm}. Type:  {found}.load(...)"
        )
    return head


def _tensors(archive: zipfile.ZipFile) -> dict[str, Any]:
    found = {}
    for name in archive.namelist():
        if name.endswith(".pth"):
            try:
                data = io.BytesIO(archive.read(name))
                # To the CPU: Adam keeps its step count there; weights are copied where they go.
                loaded = torch.load(data, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise CheckpointError(f"{name} holds more than tensors: {error}") from error
            found[name.removesuffix(".pth")] = loaded
    return found


def _put(model: BaseAlgorithm, tensors: dict[str, Any], path: Source) -> None:
    variables = tensors.pop("pytorch_variables", {})
    parts = (recursive_getattr(model, name) for name in tensors)
    optimizers = [part for part in parts if isinstance(part, torch.optim.Optimizer)]
    options = [_options(optimizer) for optimizer in optimizers]
    try:
        model.set_parameters(tensors, exact_match=True, device=model.device)
    except (AttributeError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit the model: {error}") from error
    for optimizer, own in zip(optimizers, options, strict=True):
        _settle(optimizer, own)
    for name, value in variables.items():
        recursive_setattr(model, f"{name}.data", value.to(model.device))


def _options(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    groups = optimizer.param_groups
    return [{name: group[name] for name in group if name != "params"} for group in groups]


def _settle(optimizer: torch.optim.Optimizer, options: list[dict[str, Any]]) -> None:
    """Fit a state that was read to the model: its options, its weights' memory layout.

    Learning rates and the like are settings, and those of the model count, not those of the file.
    Fused kernels walk weights and moments side by side in memory, so both must lie alike.
    """
    for group, own in zip(optimizer.param_groups, options, strict=True):
        group.update(own)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            like = isinstance(value, torch.Tensor) and value.shape == weight.shape
            if like and name != "step":  # which stays on the CPU
                state[name] = torch.empty_like(weight).copy_(value)


def _settings(stored: dict[str, Any], instead: dict[str, Any]) -> dict[str, Any]:
    settings = {name: from_plain(item) for name, item in stored.items() if name not in instead}
    return {**settings, **instead}


def _named(path: str | pathlib.Path) -> pathlib.Path:
    path = pathlib.Path(path)
    return path if path.suffix else path.with_name(f"{path.name}.zip")


def _existing(path: Any) -> pathlib.Path:
    path = pathlib.Path(path)
    return path if path.exists() else path.with_name(f"{path.name}.zip")
