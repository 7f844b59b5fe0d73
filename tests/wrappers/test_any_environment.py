"""One wrapper line on every kind of environment that users bring."""

import functools

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym.envs.model import ModelEnv
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, ObserveScene

mujoco = load_mujoco()
pytestmark = pytest.mark.render

MODEL = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="side" pos="0 -2 1" xyaxes="1 0 0 0 .3 1"/>
    <geom name="ground" type="plane" size="2 2 .1" rgba=".2 .4 .2 1"/>
    <body name="ball" pos="0 0 .8"><freejoint/><geom size=".2" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""


def gymnasium_mujoco():
    return ObserveScene(gym.make("HalfCheetah-v5"), image_size=48, camera="track")


def robotics(name):
    reason = "pip install gymnasium-robotics"
    gym.register_envs(pytest.importorskip("gymnasium_robotics", reason=reason))
    return ObserveScene(gym.make(name), image_size=48)


def model():
    return ObserveScene(ModelEnv(mujoco.MjModel.from_xml_string(MODEL), noise=0.1), image_size=48)


def shimmy():
    gym.register_envs(pytest.importorskip("shimmy"))
    return ObserveScene(gym.make("dm_control/cartpole-swingup-v0"), image_size=48, camera=0)


def torch():
    pytest.importorskip("torch")
    pytest.importorskip("array_api_compat", reason="NumpyToTorch needs gymnasium[array-api]")
    return gym.wrappers.NumpyToTorch(model())


def dictionary():
    # A camera of the model's: Gymnasium points the free one at a pose that it draws unseeded.
    view = {"width": 48, "height": 48, "camera_name": "track"}
    env = gym.make("HalfCheetah-v5", render_mode="rgb_array", **view)
    return gym.wrappers.AddRenderObservation(env, render_only=False)


def floats():
    def scale(obs):
        return (obs / 255).astype(np.float32)

    space = gym.spaces.Box(0.0, 1.0, (48, 48, 3))
    return gym.wrappers.TransformObservation(model(), scale, space)


def channels_first():
    space = gym.spaces.Box(0, 255, (3, 48, 48), np.uint8)
    return gym.wrappers.TransformObservation(model(), lambda obs: obs.transpose(2, 0, 1), space)


def grayscale():
    return gym.wrappers.GrayscaleObservation(model())


KINDS = {
    "gymnasium's MuJoCo": gymnasium_mujoco,
    "gymnasium-robotics' hand": functools.partial(robotics, "AdroitHandPen-v1"),
    "gymnasium-robotics' maze": functools.partial(robotics, "PointMaze_UMaze-v3"),
    "a plain model": model,
    "dm_control through Shimmy": shimmy,
    "PyTorch tensors": torch,
    "a dictionary": dictionary,
    "floats": floats,
    "channels first": channels_first,
    "grayscale": grayscale,
}


def picture(obs):
    """Return what an observation shows, `(H, W, C)` float64."""
    pixels = obs["pixels"] if isinstance(obs, dict) else obs
    pixels = np.asarray(pixels, np.float64)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.moveaxis(pixels, 0, -1) if pixels.shape[0] == 3 else pixels


def play(make, mode):
    env = AddForegroundMask(DistractionWrapper(make(), mode, assets="generated"))
    env.action_space.seed(0)
    obs, info = env.reset(seed=4)
    shown, masks = [obs], [info["foreground"]]
    for _ in range(2):
        obs, *_, info = env.step(env.action_space.sample())
        shown.append(obs)
        masks.append(info["foreground"])
    assert env.observation_space == env.env.env.observation_space
    assert type(obs).__name__ == "Tensor" or env.observation_space.contains(obs)
    env.close()
    return shown, masks


@pytest.mark.parametrize("kind", KINDS)
def test_the_background_is_replaced_and_the_foreground_untouched(kind):
    hard, masks = play(KINDS[kind], "video_hard")
    clean, same = play(KINDS[kind], "clean")
    for one, two, mask, other in zip(hard, clean, masks, same, strict=True):
        np.testing.assert_array_equal(mask, other)  # the same episode beneath
        assert 0.002 < mask.mean() < 0.9
        differs = (picture(one) != picture(two)).any(axis=-1)
        assert not differs[mask].any()
        assert differs[~mask].mean() > 0.8
        if isinstance(one, dict):
            np.testing.assert_array_equal(one["state"], two["state"])


@pytest.mark.parametrize("kind", ["a plain model", "PyTorch tensors", "floats"])
def test_scenes_are_edited_whatever_the_observations_are(kind):
    (turned, *_), _ = play(KINDS[kind], [{"kind": "rotate", "intensity": 1.0}])
    (clean, *_), _ = play(KINDS[kind], "clean")
    assert (picture(turned) != picture(clean)).any(axis=-1).mean() > 0.1


def test_whole_bodies_may_be_background():
    env = ModelEnv(mujoco.MjModel.from_xml_string(MODEL))
    masks = [
        AddForegroundMask(ObserveScene(env, 48, extra_background=extra)).reset(seed=0)[1]
        for extra in (None, {"floor": ["body:ball"]}, {"sky": ["group:0"]})
    ]
    assert [info["foreground"].any() for info in masks] == [True, False, False]
