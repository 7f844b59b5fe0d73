"""Exact masks against the papers' green screen, as measured in the benchmark's description."""

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.distractions.chroma import chroma_key
from distraction_gym.registration import env_id

pytest.importorskip("distraction_gym.envs.dmcgb.env", exc_type=ImportError)
pytestmark = pytest.mark.render
GREEN = (0.2, 0.8, 0.2)
# Share of equal pixels in percent: sky only (video_easy), sky and floor (video_hard), measured on
# 4 seeds x 30 frames; cartpole with its rails counted as sky.
AGREEMENT = {
    "walker_walk": (99.33, 99.73),
    "cheetah_run": (98.92, 99.79),
    "cartpole_swingup": (98.74, 99.89),
    "finger_spin": (98.47, 99.66),
    "ball_in_cup_catch": (98.62, 99.80),
}
TOLERANCE = 0.4
PARTS = (["sky"], ["sky", "floor"])


def episode(task, look, before=lambda scene: None, frames=10):
    """What `look(scene, picture)` returns for each picture of one random episode."""
    env = gym.make(env_id("dmcgb", task), disable_env_checker=True)
    env.action_space.seed(0)
    env.reset(seed=0)
    scene = env.get_wrapper_attr("scene")
    before(scene)
    seen = []
    for _ in range(frames):
        picture = env.step(env.action_space.sample())[0][-3:].transpose(1, 2, 0)
        seen.append(look(scene, picture))
    env.close()
    return np.array(seen)


@pytest.mark.parametrize("task", AGREEMENT)
def test_masks_agree_with_the_green_screen_as_published(task):
    exact = episode(task, lambda scene, picture: [scene.background(p, picture) for p in PARTS])
    for index, expected in enumerate(AGREEMENT[task]):
        keyed = episode(
            task,
            lambda scene, picture: chroma_key(picture),
            lambda scene, parts=PARTS[index]: scene.flood(parts, GREEN),
        )
        agree = 100 * (exact[:, index] == keyed).mean()
        assert agree == pytest.approx(expected, abs=TOLERANCE), PARTS[index]
