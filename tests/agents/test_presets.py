"""Presets in rl-zoo3's shape: merged in order, checked against the agent, never evaluated."""

import pytest
import yaml
from stable_baselines3 import SAC

from distraction_gym.agents import AGENTS
from distraction_gym.agents.common.presets import PresetError, check, read, select
from distraction_gym.agents.common.visual_sac import VisualSAC
from distraction_gym.bench.runs import agent_class
from distraction_gym.bench.training import configure

TEXT = """
default:
  policy: CnnPolicy
  n_timesteps: !!float 5e5
  learning_rate: 1.0e-3
  policy_kwargs:
    net_arch: [1024, 1024]
    log_std_init: -3
distraction_gym/mini-reach-clean-v0:
  n_timesteps: 3000
  learning_rate: 2.0e-3
distraction_gym/mini-*:
  n_timesteps: 10000
  n_envs: 4
  env_wrapper: [gymnasium.wrappers.RecordEpisodeStatistics]
  policy_kwargs:
    net_arch: [256]
distraction_gym/*-clean-v0:
  n_envs: 2
"""


class Agent(SAC):
    """An agent that names only what it adds."""

    def __init__(self, *args, augment: str = "overlay", **kwargs) -> None:
        self.augment = augment
        super().__init__(*args, **kwargs)


def test_default_then_patterns_in_order_then_the_id_itself():
    presets = read(TEXT)
    assert select(presets, "CartPole-v1") == presets["default"]
    hard = select(presets, "distraction_gym/mini-reach-video_hard-v0")
    assert hard["n_timesteps"] == 10000 and hard["n_envs"] == 4
    assert hard["policy_kwargs"] == {"net_arch": [256], "log_std_init": -3}
    clean = select(presets, "distraction_gym/mini-reach-clean-v0")
    assert (clean["n_timesteps"], clean["learning_rate"], clean["n_envs"]) == (3000, 2e-3, 2)
    assert presets == read(TEXT), "select must not write into what it merges"


def test_every_setting_is_known_or_refused_with_a_suggestion():
    check(select(read(TEXT), "distraction_gym/mini-reach-clean-v0"), Agent)
    check({"augment": "random_conv", "buffer_size": 10, "tau": 0.01}, Agent)
    with pytest.raises(
        PresetError, match=r"Agent has no setting 'aumgent'\. Did you mean 'augment'"
    ):
        check({"aumgent": "overlay"}, Agent)
    with pytest.raises(PresetError, match="Did you mean 'learning_rate'"):
        check({"learnin_rate": 1.0}, Agent)
    with pytest.raises(PresetError, match=r"Known: .*batch_size"):
        check({"xyzzy": 1.0}, Agent)
    with pytest.raises(PresetError, match="no setting 'env'"):
        check({"env": "CartPole-v1"}, Agent)


@pytest.mark.parametrize(
    ("value", "right"),
    [("1e-3", "0.001"), ("3e5", "300000.0"), ("1e-9", "1.0e-09"), ("25e-9", "2.5e-08")],
)
def test_numbers_that_yaml_takes_for_text_are_named(value, right):
    with pytest.raises(PresetError, match=f"lr is the text .*write {right}"):
        read(f"default: {{lr: {value}}}")
    assert isinstance(yaml.safe_load(right), float)
    with pytest.raises(PresetError, match="not a number"):
        read(f"default: {{policy_kwargs: {{betas: [{value}, 0.9]}}}}")


def test_nothing_is_evaluated():
    for text in ("default: {a: !!python/object/apply:os.getcwd []}", "default: !!python/name:os.x"):
        with pytest.raises(PresetError, match="cannot be read"):
            read(text)
    with pytest.raises(PresetError, match="as a mapping"):
        read("default: {policy_kwargs: 'dict(net_arch=[64])'}")


@pytest.mark.parametrize("text", ["- a", "default: 3", "default: [", "just words"])
def test_other_shapes_are_refused(text):
    with pytest.raises(PresetError, match=r"here\.yml"):
        read(text, "here.yml")


def test_an_empty_file_holds_nothing():
    assert select(read(""), "CartPole-v1") == {}


SUITES = (
    *("mini-reach-clean", "dmcgb-walker_walk-clean", "dmcgb2-walker_walk-clean"),
    *("dcs-walker_walk-clean", "sd-walker_run-video_train", "adroit-door-clean"),
    *("unitree-walk-clean", "arm-push-clean", "metaworld-coffee_button-clean"),
    *("ur5-reach-clean", "ur5_real-reach-lab"),
)


@pytest.mark.parametrize("algo", list(AGENTS))
def test_every_agent_has_settings_for_every_suite(algo):
    for suite in SUITES:
        config = configure(algo, f"{suite}-v0")
        assert config.steps >= 10_000, suite
        crop = config.hyperparameters.get("crop")
        assert crop is None or crop < config.env_kwargs["image_size"], suite


def test_an_arm_is_one_environment_and_does_not_wait():
    for algo in AGENTS:
        config = configure(algo, "ur5_real-reach-lab-v0")
        assert config.n_envs == 1
        threaded = issubclass(agent_class(algo), VisualSAC)
        assert config.hyperparameters.get("asynchronous", False) == threaded
