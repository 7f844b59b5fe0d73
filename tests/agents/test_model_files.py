"""Model files are data: what is saved comes back, and nothing in a file runs."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from tiny_run import Dot, SafeSAC, build

from distraction_gym.agents.common.plain import NotPlainError, from_plain, to_plain
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.errors import CheckpointError

torch.set_num_threads(1)


class Payload:
    """Pickled code that leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def model():
    layers = {"net_arch": [16], "activation_fn": torch.nn.Tanh}
    return build(policy_kwargs=layers, train_freq=(2, "step"), gamma=0.9).learn(30)


def rewrite(path: Path, **entries: str | bytes) -> None:
    """Replace or add entries of a zip; `_` in a name stands for a dot."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held.update({name.replace("_", "."): data for name, data in entries.items()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)


def settings_of(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("model.json"))


def test_a_loaded_model_is_the_saved_one(model, tmp_path, recwarn):
    model.save(tmp_path / "model")
    assert not recwarn.list
    loaded = SafeSAC.load(tmp_path / "model", device="cpu")
    for name, state in model.get_parameters().items():
        assert str(state) == str(loaded.get_parameters()[name]), name
    assert torch.equal(loaded.log_ent_coef, model.log_ent_coef)
    for name in ("gamma", "observation_space", "action_space", "policy_class", "policy_kwargs"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert loaded.replay_buffer_class is FrameReplayBuffer
    assert loaded.train_freq == model.train_freq
    assert loaded.num_timesteps == model.num_timesteps
    evaluate_policy(loaded, model.get_env(), n_eval_episodes=1)


def test_nothing_in_a_file_is_pickled_code(model, tmp_path):
    model.save(tmp_path / "m.zip")
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".pth"):
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
            else:
                json.loads(archive.read(name))


def test_a_loaded_model_learns_on_with_another_number_of_environments(model, tmp_path):
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    loaded = SafeSAC.load(file, env=build(n_envs=2).env, device="cpu", verbose=0, gamma=0.5)
    assert loaded.n_envs == 2 and loaded.gamma == 0.5
    loaded.learn(20)


def test_a_failed_save_leaves_the_file_before_it(model, tmp_path, monkeypatch):
    path = tmp_path / "m.zip"
    model.save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        model.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_pickled_code_in_place_of_tensors_is_refused(model, tmp_path):
    path, mark = tmp_path / "m.zip", tmp_path / "mark"
    model.save(path)
    for poison in (pickle.dumps(Payload(mark)), _torch_bytes(Payload(mark))):
        rewrite(path, policy_pth=poison)
        with pytest.raises(CheckpointError, match=r"policy\.pth"):
            SafeSAC.load(path, device="cpu")
    assert not mark.exists()


def _torch_bytes(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "subprocess:Popen",
        "os:system",
        "torch.hub:load",
        "torch:load",
        "distraction_gym.__main__:main",
        "torch.serialization:pickle.Unpickler",
        "torch.nn:NoSuchLayer",
        "my_networks:Extractor",
    ],
)
def test_classes_that_no_model_has_are_refused(model, tmp_path, name):
    path = tmp_path / "m.zip"
    model.save(path)
    head = settings_of(path)
    head["settings"]["policy_kwargs"]["activation_fn"] = {"__kind__": "class", "name": name}
    rewrite(path, model_json=json.dumps(head))
    with pytest.raises(CheckpointError, match="custom_objects"):
        SafeSAC.load(path, device="cpu")
    kwargs = {"net_arch": [16], "activation_fn": torch.nn.Tanh, "use_sde": False}
    SafeSAC.load(path, device="cpu", custom_objects={"policy_kwargs": kwargs})


def test_files_of_others_are_refused(model, tmp_path):
    path = tmp_path / "m.zip"
    SAC("MlpPolicy", Dot(), buffer_size=10, device="cpu").save(path)
    with pytest.raises(CheckpointError, match="written by Stable-Baselines3"):
        SafeSAC.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(CheckpointError, match="not a model file"):
        SafeSAC.load(path)
    model.save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CheckpointError, match="not a model file"):
        SafeSAC.load(path)
    with pytest.raises(FileNotFoundError):
        SafeSAC.load(tmp_path / "none")


def test_another_algorithm_or_format_is_refused(model, tmp_path):
    class Other(SafeSAC):
        pass

    path = tmp_path / "m.zip"
    model.save(path)
    with pytest.raises(CheckpointError, match="holds SafeSAC, expected Other"):
        Other.load(path)
    head = settings_of(path)
    for other in (0, 2):
        rewrite(path, model_json=json.dumps({**head, "format": other, "package": "3.0"}))
        with pytest.raises(CheckpointError, match=rf"format {other} .*reads format 1.*==3\.0"):
            SafeSAC.load(path)
    for broken in ("", "[]", "{}", '"text"', json.dumps({**head, "package": 1})[:-1]):
        rewrite(path, model_json=broken)
        with pytest.raises(CheckpointError, match="not a model file"):
            SafeSAC.load(path)


def test_settings_newer_than_the_file_have_their_defaults(model, tmp_path):
    path = tmp_path / "m.zip"
    model.save(path)
    head = settings_of(path)
    del head["settings"]["target_update_interval"]
    rewrite(path, model_json=json.dumps(head))
    assert SafeSAC.load(path, device="cpu").target_update_interval == 1


def test_another_environment_is_refused(model, tmp_path):
    class Bigger(Dot):
        action_space = spaces.Box(-1, 1, (5,))

    model.save(tmp_path / "m.zip")
    with pytest.raises(ValueError, match="spaces do not match"):
        SafeSAC.load(tmp_path / "m.zip", env=Bigger(), device="cpu")


def test_a_schedule_becomes_its_present_value(tmp_path):
    schedule = build(learning_rate=lambda progress: 1e-3 * progress).learn(30)
    schedule.save(tmp_path / "m.zip")
    loaded = SafeSAC.load(tmp_path / "m.zip", device="cpu")
    assert loaded.learning_rate == pytest.approx(1e-3 * schedule._current_progress_remaining)


def test_what_is_no_data_is_named_and_left_out(tmp_path):
    model = build()
    model.helper = object()
    with pytest.warns(UserWarning, match="not saved with the model: helper"):
        model.save(tmp_path / "m.zip")
    model.save(tmp_path / "m.zip", exclude=["helper"])
    assert not hasattr(SafeSAC.load(tmp_path / "m.zip", device="cpu"), "helper")


VALUES = [
    *(None, True, 3, 0.5, float("inf"), "text", [1, [2]], (1, (2, 3)), {"a": (1,)}),
    *(torch.nn.ReLU, torch.optim.Adam, SAC("MlpPolicy", Dot(), buffer_size=1).policy_class),
    spaces.Box(0, 255, (9, 4, 4), np.uint8),
    spaces.Box(np.array([-1.0, 0.1]), np.array([np.inf, 0.3]), dtype=np.float64),
    spaces.Discrete(4, start=-1),
    spaces.Dict({"b": spaces.Box(-1, 1, (2,)), "a": spaces.Discrete(2)}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_settings_survive_json(value):
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert back == value and type(back) is type(value)


def test_train_freq_and_numpy_numbers():
    freq = TrainFreq(4, TrainFrequencyUnit.EPISODE)
    assert from_plain(to_plain(freq)) == (4, "episode")
    assert to_plain(np.float32(0.5)) == 0.5


@pytest.mark.parametrize("value", [object(), len, {1: 2}, {"__kind__": "x"}, np.zeros(2)])
def test_other_values_are_not_plain(value):
    with pytest.raises(NotPlainError):
        to_plain(value)


def test_an_unknown_kind_is_refused():
    with pytest.raises(CheckpointError, match="unknown kind"):
        from_plain({"__kind__": "code", "source": "1"})


def test_optimizers_without_moments_come_back_too(tmp_path):
    sgd = {"net_arch": [16], "optimizer_class": torch.optim.SGD}
    build(policy_kwargs=sgd).learn(30).save(tmp_path / "model")
    assert SafeSAC.load(tmp_path / "model", policy_kwargs=sgd).num_timesteps == 30
