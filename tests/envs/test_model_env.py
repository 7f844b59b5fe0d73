"""A plain MuJoCo model as an environment."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

pytest.importorskip("mujoco")

from distraction_gym.envs import ModelEnv
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.wrappers import DistractionWrapper, ObserveScene

mujoco = load_mujoco()

BALL = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="side" pos="0 -3 1" xyaxes="1 0 0 0 .3 1"/>
    <geom name="ground" type="plane" size="2 2 .1" rgba=".2 .4 .2 1"/>
    <body name="ball" pos="0 0 1"><freejoint/><geom name="ball" size=".2" rgba="1 0 0 1"/></body>
    <body name="arm" pos="1 0 1">
      <joint name="hinge" axis="0 1 0" damping=".1"/>
      <geom name="arm" type="capsule" size=".05" fromto="0 0 0 -.5 0 0" rgba="0 0 1 1"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="hinge" ctrlrange="-3 2"/>
    <general joint="hinge" dyntype="integrator"/>
  </actuator>
  <keyframe><key name="high" qpos="0 0 1.8 1 0 0 0 0.5" qvel="0 0 0 0 0 0 0"/></keyframe>
</mujoco>
"""


@pytest.fixture
def model():
    return mujoco.MjModel.from_xml_string(BALL)


def test_it_is_an_environment_as_gymnasium_wants_it(model):
    check_env(ModelEnv(model, render_mode=None), skip_render_check=True)


def test_actions_are_controls_and_observations_states(model):
    env = ModelEnv(model, frame_skip=4)
    np.testing.assert_array_equal(env.action_space.low, [-3, -1])
    np.testing.assert_array_equal(env.action_space.high, [2, 1])
    obs, info = env.reset(seed=0)
    assert obs.tolist() == [0, 0, 1, 1, 0, 0, 0, 0, *[0] * 7, 0] and info == {}
    obs, reward, terminated, truncated, _ = env.step(np.array([2, 0.5], np.float32))
    assert env.data.time == pytest.approx(4 * model.opt.timestep)
    assert obs[-1] == pytest.approx(0.5 * 4 * model.opt.timestep)  # the integrator's activation
    assert obs[2] < 1 and (reward, terminated, truncated) == (0.0, False, False)


def test_reward_and_end_are_functions_of_the_new_state(model):
    def height(model, data):
        return data.body("ball").xpos[2]

    env = ModelEnv(model, reward=height, terminated=lambda model, data: data.qpos[2] < 0.9)
    env.reset(seed=0)
    over = False
    while not over:
        obs, reward, over, truncated, _ = env.step(env.action_space.low * 0)
        assert reward == obs[2] and not truncated  # not of the state before the last physics step
    assert obs[2] < 0.9


def test_noise_comes_from_the_seed_and_keeps_rotations(model):
    env = ModelEnv(model, noise=0.3, keyframe="high")
    first, _ = env.reset(seed=5)
    again, _ = env.reset(seed=5)
    other, _ = env.reset()
    np.testing.assert_array_equal(first, again)
    assert (first[:3] != other[:3]).all() and (first[-8:-1] != 0).all()
    assert np.linalg.norm(first[3:7]) == pytest.approx(1) and first[3] != 1
    assert abs(first[2] - 1.8) < 0.3 and abs(first[7] - 0.5) < 0.3


def test_bad_arguments_are_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="robot"):
        ModelEnv(str(tmp_path / "robot.xml"))
    with pytest.raises(ValueError, match="at least 1"):
        ModelEnv(model, frame_skip=0)
    with pytest.raises(KeyError, match="high"):  # MuJoCo lists the names there are
        ModelEnv(model, keyframe="low")


@pytest.mark.render
def test_one_line_distracts_a_model(tmp_path):
    path = tmp_path / "ball.xml"
    path.write_text(BALL)
    env = DistractionWrapper(ObserveScene(ModelEnv(str(path))), "video_hard", assets="generated")
    obs, _ = env.reset(seed=0)
    clean = ObserveScene(ModelEnv(str(path)))
    np.testing.assert_array_equal(env.undistorted, clean.reset(seed=0)[0])
    kept = (obs == env.undistorted).all(axis=-1)
    assert 0.01 < kept.mean() < 0.4
    red = (env.undistorted[..., 0] > 80) & (env.undistorted[..., 1:].max(axis=-1) < 40)
    assert red.any() and kept[red].mean() > 0.95  # the ball
    env.close(), clean.close()


@pytest.mark.render
def test_a_pickle_goes_on_as_if_nothing_had_been(model):
    env = ObserveScene(ModelEnv(model, noise=0.1), image_size=32)
    env.reset(seed=1)
    assert env.unwrapped.render().shape == (240, 320, 3)
    other = pickle.loads(pickle.dumps(env))
    action = env.action_space.high
    for _ in range(2):
        for old, new in zip(env.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])
    env.close(), other.close()


@pytest.mark.render
def test_other_wrappers_film_it(model):
    env = gym.wrappers.AddRenderObservation(ModelEnv(model))
    assert env.reset(seed=0)[0].shape == (240, 320, 3)
    assert env.metadata["render_fps"] == 100
    env.close()
