"""The blue rule on dm_control's own pictures, as the papers on world models use it."""

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.distractions.chroma import blue_key

pytestmark = pytest.mark.render


@pytest.fixture(params=["walker_walk", "cartpole_swingup", "reacher_easy"])
def env(request):
    pytest.importorskip("dm_control")
    name = f"distraction_gym/dmcgb-{request.param}-clean-v0"
    env = gym.make(name, image_size=64, frame_stack=1)
    yield env
    env.close()


def test_it_hides_sky_and_floor_and_leaves_the_robot(env):
    frame = env.reset(seed=0)[0].transpose(1, 2, 0)
    scene = env.get_wrapper_attr("scene")
    key, background = blue_key(frame), scene.background(("sky", "floor"), frame)
    assert 0.9 < key.mean() < 0.99
    assert key[background].mean() > 0.97
    # Beyond that it takes edges, bluish parts and Reacher's walls: all but what is warm.
    warm = (frame[..., 0].astype(int) - frame[..., 2] > 60) & ~background
    assert np.count_nonzero(warm) > 15
    assert not key[warm].any()
