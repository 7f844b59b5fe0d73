"""Segmentation Dreamer's protocol: what each mode replaces, by which clips; what masks hold."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("dm_control")

from distraction_gym import env_id
from distraction_gym.distractions.chroma import blue_key
from distraction_gym.wrappers import AddForegroundMask

pytestmark = pytest.mark.render


def make(task, mode="clean", **kwargs):
    kwargs = {"assets": "generated", **kwargs}
    return gym.make(env_id("sd", task, mode), disable_env_checker=True, **kwargs)


class Shot:
    """The first picture of a mode, the clean one, and which parts they show, all (64, 64, ...)."""

    def __init__(self, task, mode, **kwargs):
        env = AddForegroundMask(make(task, mode, **kwargs))
        picture, info = env.reset(seed=3)
        self.picture, self.mask = picture.transpose(1, 2, 0), info["foreground"]
        scene, self.below = (env.get_wrapper_attr(name) for name in ("scene", "undistorted"))
        self.sky, self.floor = (scene.background([part], self.below) for part in ("sky", "floor"))
        self.changed = (self.picture != self.below).any(axis=-1)
        self.clip = info["distraction"]
        env.close()


@pytest.mark.parametrize("task", ["walker_run", "cheetah_run"])
def test_a_floor_that_is_stood_on_stays_and_is_grey(task):
    shot = Shot(task, "video_test")
    assert shot.floor.any() and not shot.changed[~shot.sky].any()
    assert shot.changed[shot.sky].mean() > 0.95
    grey = np.ptp(shot.picture[shot.floor & ~shot.mask].astype(int), axis=-1)
    assert np.median(grey) <= 2, "but for what it mirrors"


@pytest.mark.parametrize("task", ["cartpole_swingup", "reacher_easy"])
def test_other_floors_are_replaced(task):
    shot = Shot(task, "video_train")
    behind = shot.sky | shot.floor
    assert shot.changed[behind].mean() > 0.95 and not shot.changed[~behind].any()
    assert not (shot.mask & behind).any()
    assert behind.mean() > 0.9, "walls too"


def test_blue_pixels_are_replaced_wherever_they_are():
    shot = Shot("hopper_stand", "blue_test")
    key = blue_key(shot.below)
    assert shot.changed[key].mean() > 0.95 and not shot.changed[~key].any()
    assert key[shot.floor].mean() > 0.9


def test_clean_is_dm_controls_own_picture():
    shot = Shot("walker_run", "clean")
    assert not shot.changed.any() and blue_key(shot.picture)[shot.floor].mean() > 0.9


def test_training_and_test_clips_are_apart_and_drawn_anew():
    packs = {}
    for mode in ("video_train", "video_test", "blue_train", "blue_test"):
        env = make("pendulum_swingup", mode, image_size=8, render_quality="draft")
        told = [env.reset(seed=3 if again == 0 else None)[1]["distraction"] for again in range(3)]
        packs[mode] = told[0][0]["pack"]
        assert len({str(item) for item in told}) > 1
        env.close()
    assert packs["video_train"] == packs["blue_train"] == "driving_train"
    assert packs["video_test"] == packs["blue_test"] == "driving_test"


def test_masks_hold_what_matters_and_the_ground_if_asked():
    """Areas as measured in dm_control's own segmentation, of 4096 pixels."""
    body, both = Shot("cheetah_run", "video_test"), Shot("cheetah_run", "video_test", ground=True)
    assert body.mask.sum() == pytest.approx(165, rel=0.15)
    np.testing.assert_array_equal(both.mask, body.mask | body.floor)
    assert body.floor.sum() == pytest.approx(558, rel=0.15)


def test_the_protocol_and_the_same_states_in_every_mode():
    seen = []
    for mode in ("clean", "video_train"):
        env = make("walker_run", mode, render_quality="draft")
        assert env.observation_space.shape == (3, 64, 64)
        env.reset(seed=5)
        env.step(np.ones(6, np.float32))
        assert env.unwrapped.physics.time() == pytest.approx(2 * 0.025)
        seen.append(env.unwrapped.physics.get_state())
        env.close()
    np.testing.assert_array_equal(*seen)
    env = make("walker_run", action_repeat=250, image_size=8, render_quality="draft")
    env.reset(seed=0)
    ends = [env.step(np.zeros(6, np.float32))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    env.close()
