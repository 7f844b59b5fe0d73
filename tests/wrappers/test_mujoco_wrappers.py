"""The wrappers on Gymnasium's and Shimmy's MuJoCo environments."""

import gc

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Footage

from distraction_gym.errors import UnsupportedEnvironment

pytest.importorskip("mujoco")

from distraction_gym.scenes import find_scene
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.wrappers import DistractionWrapper, ObserveScene
from distraction_gym.wrappers import distraction as module

mujoco = load_mujoco()
BALL = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <body><joint type="slide"/><geom size=".3"/></body>
  </worldbody>
</mujoco>
"""
pytestmark = pytest.mark.render
COLORS = {
    "sky": [(0.9, 0.1, 0.1)],
    "floor": [(0.0, 0.3, 0.0), (0.0, 0.9, 0.0)],
    "body": [(0.0, 0.0, 1.0)],
}


@pytest.fixture
def footage(monkeypatch):
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [Footage()])


@pytest.fixture
def own_pictures():
    made = []

    def make(name, size=100):
        env = gym.make(name, render_mode="rgb_array", width=size, height=size)
        made.append(gym.wrappers.AddRenderObservation(env))
        return made[-1]

    yield make
    # Left to the garbage collector, a viewer would take the next test's context with it.
    for env in made:
        env.close()
    gc.collect()


@pytest.mark.parametrize("name", ["HalfCheetah-v5", "InvertedPendulum-v5"])
def test_masks_fit_the_pictures_that_gymnasium_draws(footage, own_pictures, name):
    env = DistractionWrapper(own_pictures(name), "video_hard")
    for act in (lambda: env.reset(seed=0), lambda: env.step(env.action_space.sample())[::4]):
        obs, info = act()
        picture, start = env.undistorted, info["distraction"][0]["start"]
        kept = (obs == picture).all(axis=-1)
        assert 0.01 < kept.mean() < 0.6
        assert (obs[~kept] >= start).all() and (obs[~kept] <= start + 1).all()
    # What is kept is the robot: its colour is what the clip and the surroundings are not.
    body = env.scene.background(["body"], picture)
    assert (kept == body).mean() > 0.99


def shimmy_env(**asked):
    suite = pytest.importorskip("dm_control.suite")
    from shimmy.dm_control_compatibility import DmControlCompatibilityV0

    env = DmControlCompatibilityV0(suite.load("cartpole", "balance"), "rgb_array", asked)
    return gym.wrappers.AddRenderObservation(env)


def test_gymnasiums_picture_stands_until_something_is_edited(own_pictures):
    env = own_pictures("Hopper-v5")
    scene = find_scene(env)
    stock, _ = env.reset(seed=0)
    assert scene.redraw(stock) is stock
    np.testing.assert_array_equal(scene._draw(), stock)  # ours would be the same
    scene.recolor(COLORS)
    again, _ = env.reset(seed=0)
    np.testing.assert_array_equal(again, stock)  # the environment's own renderer knows nothing
    new = scene.redraw(again)
    for colour, part in enumerate(["sky", "floor", "body"]):
        assert new[scene.background([part], new)].mean(axis=0).argmax() == colour
    scene.restore()
    assert scene.redraw(again) is again
    np.testing.assert_array_equal(scene._draw(), stock)


def test_gymnasiums_camera_is_followed(own_pictures):
    env = own_pictures("HalfCheetah-v5")
    scene = find_scene(env)
    stock, _ = env.reset(seed=0)
    scene.stagehand = lambda: scene.turn(roll=180)
    np.testing.assert_allclose(scene.redraw(stock)[::-1, ::-1], stock, atol=80)
    scene.stagehand = None
    assert scene.redraw(stock) is stock
    env.unwrapped.mujoco_renderer.viewer.cam.distance *= 2
    for _ in range(3):
        far = env.step(env.action_space.sample())[0]
    scene.redraw(far)
    np.testing.assert_array_equal(scene._draw(), far)


def test_colours_reach_the_pictures_that_shimmy_draws():
    env = shimmy_env(height=60, width=80, camera_id=0)
    scene = find_scene(env)
    stock, _ = env.reset(seed=0)
    np.testing.assert_array_equal(scene._draw(), stock)
    scene.recolor(COLORS)
    new = scene.redraw(stock)
    assert new[scene.background(["sky"], new)].mean(axis=0).argmax() == 0
    np.testing.assert_array_equal(env.render(), stock)
    env.close()


def test_observe_scene_turns_states_into_pictures(footage):
    env = ObserveScene(
        gym.make("HalfCheetah-v5", render_mode="rgb_array"), image_size=64, quality="draft"
    )
    obs, _ = env.reset(seed=0)
    assert obs.shape == (64, 64, 3) and env.observation_space.contains(obs)
    distracted = DistractionWrapper(env, "video_hard")
    assert distracted.scene is env.scene
    obs, _ = distracted.reset(seed=0)
    assert (obs == env.render()).all(axis=-1).mean() < 0.6
    env.close()


def test_observe_scene_needs_mujoco():
    with pytest.raises(UnsupportedEnvironment, match="MuJoCo"):
        ObserveScene(gym.make("Pendulum-v1"))


def test_masks_fit_the_pictures_that_shimmy_draws(footage):
    asked = {"height": 60, "width": 80, "camera_id": 0}
    env = DistractionWrapper(shimmy_env(**asked), "video_hard")
    obs, _ = env.reset(seed=0)
    ids = env.unwrapped.physics.render(**asked, segmentation=True)
    kept = (obs == env.undistorted).all(axis=-1)
    behind = env.scene.background(["sky", "floor"], obs)
    assert obs.shape == (60, 80, 3) and behind[ids[..., 1] == -1].all()
    assert (kept == ~behind).mean() > 0.99
    env.close()


def test_a_closed_viewer_takes_nothing_from_the_next():
    # Gymnasium leaves its viewer's MjrContext to the garbage collector, which then frees objects of
    # whichever GL context is current: the next environment's pictures would turn black.
    def cheetah():
        env = gym.make("HalfCheetah-v5", render_mode="rgb_array", width=64, height=48)
        env = gym.wrappers.AddRenderObservation(env, render_only=True)
        env = DistractionWrapper(env, "dots_behind", assets="generated")
        env.reset(seed=3)
        return env

    gc.collect()  # what other tests have left
    first = cheetah()
    first.close()
    second = cheetah()
    expected = second.undistorted.copy()
    del first
    gc.collect()
    second.reset(seed=3)
    np.testing.assert_array_equal(second.undistorted, expected)
    second.close()


class Rebuilt(gym.Env):
    """Makes a new `MjData`, or a new model too, for every episode."""

    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Box(-1, 1, (1,))

    def __init__(self, new_models):
        self._new_models = new_models
        self._build()

    def _build(self):
        self.model = mujoco.MjModel.from_xml_string(BALL)
        self.data = mujoco.MjData(self.model)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self._new_models:
            self._build()
        self.data = mujoco.MjData(self.model)
        self.data.qpos[0] = self.np_random.uniform(-1, 1)
        mujoco.mj_forward(self.model, self.data)
        return np.zeros(1, np.float32), {}


def test_new_data_are_followed_and_new_models_refused():
    env = ObserveScene(Rebuilt(new_models=False), image_size=32)
    first, second = env.reset(seed=0)[0], env.reset(seed=1)[0]
    assert (first != second).any()  # the ball has moved
    np.testing.assert_array_equal(env.reset(seed=0)[0], first)
    env.close()
    with pytest.raises(UnsupportedEnvironment, match="new MuJoCo model"):
        ObserveScene(Rebuilt(new_models=True)).reset(seed=0)


def test_pictures_that_the_environment_does_not_draw_need_a_mask():
    env = gym.make("HalfCheetah-v5")  # without a render mode
    space = gym.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    env = gym.wrappers.TransformObservation(env, lambda obs: np.zeros((8, 8, 3), np.uint8), space)
    with pytest.raises(UnsupportedEnvironment, match="render_mode=None"):
        DistractionWrapper(env, "video_hard", assets="generated")
