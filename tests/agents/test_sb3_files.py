"""Files of Stable-Baselines3's own save: refused, unless the user says that they are trusted."""

import io
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from pictures import Bandit
from stable_baselines3.common.base_class import BaseAlgorithm
from test_model_files import Payload, rewrite
from tiny_run import Dot, SafeSAC, build

from distraction_gym.agents import SAC, SRM, MaDi
from distraction_gym.agents.common.policy import VisualSACPolicy
from distraction_gym.errors import CheckpointError

torch.set_num_threads(1)
NETS = {"net_arch": [16], "features_extractor_kwargs": {"features_dim": 16}}
SETTINGS = {"buffer_size": 100, "learning_starts": 10, "batch_size": 8, "seed": 0}


def theirs(cls=sb3.SAC, env=None, policy="CnnPolicy", **kwargs):
    return cls(policy, env or Bandit(), policy_kwargs=dict(NETS), device="cpu", **kwargs)


@pytest.fixture(scope="module")
def trained():
    return theirs(**SETTINGS).learn(20)


def predictions(model) -> np.ndarray:
    pictures = np.stack([Bandit().reset(seed=seed)[0] for seed in range(4)])
    return model.predict(pictures, deterministic=True)[0]


def test_code_in_such_a_file_runs_only_when_it_is_trusted(tmp_path):
    path, mark = tmp_path / "m.zip", tmp_path / "mark"
    model = theirs(**SETTINGS)
    model.passenger = Payload(mark)
    model.save(path)
    with pytest.raises(CheckpointError, match=r"trust.*SAC\.load\(\.\.\., trust_pickle=True\)"):
        SAC.load(path)
    assert not mark.exists()
    SAC.load(path, trust_pickle=True)
    assert mark.exists()


def test_a_trusted_sac_acts_as_it_did(trained, tmp_path):
    trained.save(tmp_path / "m")
    loaded = SAC.load(tmp_path / "m", trust_pickle=True, device="cpu")
    assert isinstance(loaded.policy, VisualSACPolicy) and not loaded.policy.share_encoder
    # Ours lays convolutions out in memory in another order, which may round otherwise.
    np.testing.assert_allclose(predictions(loaded), predictions(trained), atol=1e-6)
    for name, state in trained.get_parameters().items():
        assert str(state) == str(loaded.get_parameters()[name]), name
    assert loaded.gamma == trained.gamma and loaded.num_timesteps == 20


@pytest.mark.parametrize("cls", [SAC, SRM])
def test_a_trusted_sac_learns_on_and_is_safe_from_then_on(trained, cls, tmp_path):
    file = io.BytesIO()
    trained.save(file)
    file.seek(0)
    loaded = cls.load(file, env=Bandit(), trust_pickle=True, device="cpu", gamma=0.5)
    assert loaded.gamma == 0.5
    loaded.learn(12, reset_num_timesteps=False)
    assert loaded.num_timesteps == 32 and loaded._n_updates > trained._n_updates
    loaded.save(tmp_path / "m")
    again = cls.load(tmp_path / "m", device="cpu")
    np.testing.assert_array_equal(predictions(again), predictions(loaded))


def test_settings_can_be_replaced_on_the_way(trained, tmp_path):
    trained.save(tmp_path / "m")
    objects = {"learning_rate": 0.125, "lr_schedule": lambda _: 0.125}
    loaded = SAC.load(tmp_path / "m", trust_pickle=True, custom_objects=objects, device="cpu")
    assert loaded.learning_rate == 0.125


def test_a_class_with_sb3s_policies_takes_them_as_they_are(tmp_path):
    model = build().learn(30)
    BaseAlgorithm.save(model, tmp_path / "m", exclude=["replay_buffer", "env"])
    with pytest.raises(CheckpointError, match=r"SafeSAC\.load"):
        SafeSAC.load(tmp_path / "m", device="cpu")
    loaded = SafeSAC.load(tmp_path / "m", trust_pickle=True, device="cpu")
    assert loaded.policy_class is model.policy_class
    for name, state in model.get_parameters().items():
        assert str(state) == str(loaded.get_parameters()[name]), name


def test_files_of_ours_stay_safe_whatever_is_said(tmp_path):
    path, mark = tmp_path / "m.zip", tmp_path / "mark"
    build().save(path)
    poison = io.BytesIO()
    torch.save(Payload(mark), poison)
    rewrite(path, policy_pth=poison.getvalue())
    with pytest.raises(CheckpointError, match=r"policy\.pth"):
        SafeSAC.load(path, trust_pickle=True, device="cpu")
    assert not mark.exists()


OTHERS = [
    (lambda: theirs(sb3.TD3, buffer_size=10), "td3.policies.CnnPolicy, which SAC does not have"),
    (lambda: theirs(sb3.PPO), "ActorCriticCnnPolicy, which SAC does not have; it has CnnPolicy"),
    (lambda: sb3.SAC("MlpPolicy", Dot(), buffer_size=10), "SACPolicy, which SAC does not have"),
]


@pytest.mark.parametrize(("make", "match"), OTHERS)
def test_other_algorithms_and_policies_are_named(make, match, tmp_path):
    make().save(tmp_path / "m")
    with pytest.raises(CheckpointError, match=match):
        SAC.load(tmp_path / "m", trust_pickle=True, device="cpu")


def test_a_method_with_networks_of_its_own_does_not_fit(trained, tmp_path):
    trained.save(tmp_path / "m")
    with pytest.raises(CheckpointError, match="does not fit MaDi"):
        MaDi.load(tmp_path / "m", trust_pickle=True, device="cpu")


def test_another_environment_is_refused(trained, tmp_path):
    trained.save(tmp_path / "m")
    with pytest.raises(CheckpointError, match="spaces do not match"):
        SAC.load(tmp_path / "m", env=Bandit(stack=2), trust_pickle=True, device="cpu")


def test_a_missing_file_is_missing(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        SAC.load(tmp_path / "none", trust_pickle=True)
