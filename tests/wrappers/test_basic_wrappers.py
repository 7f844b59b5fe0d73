"""Action repeat and frame stack."""

import numpy as np
import pytest
from counting_env import Counting

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.wrappers import ActionRepeat, StackFrames


def test_rewards_of_a_repeat_are_summed_raw():
    env = ActionRepeat(Counting(), 4)
    env.reset()
    obs, reward, terminated, truncated, info = env.step(np.zeros(1))
    assert reward == 1 + 2 + 3 + 4 and isinstance(reward, float)
    assert (obs == 4).all() and not terminated and not truncated and info == {"time": 4}


def test_a_repeat_has_succeeded_if_any_of_its_steps_has():
    class Brief(Counting):
        def step(self, action):
            *result, info = super().step(action)
            return *result, {**info, "success": self.time == 2}

    env = ActionRepeat(Brief(), 4)
    env.reset()
    assert env.step(None)[-1] == {"time": 4, "success": True}
    assert env.step(None)[-1] == {"time": 8, "success": False}
    env = ActionRepeat(Counting(), 4)
    env.reset()
    assert env.step(None)[-1] == {"time": 4}


def test_a_repeat_stops_where_the_episode_ends():
    env = ActionRepeat(Counting(ends_after=6), 4)
    env.reset()
    env.step(np.zeros(1))
    _, reward, terminated, _, info = env.step(np.zeros(1))
    assert terminated and reward == 5 + 6 and info == {"time": 6}


def test_a_stack_begins_with_one_frame_repeated_and_runs_oldest_first():
    env = StackFrames(Counting(), 3)
    obs, _ = env.reset()
    assert obs.shape == env.observation_space.shape == (9, 8, 6) and (obs == 0).all()
    held = obs
    for wanted in ([0, 0, 1], [0, 1, 2], [1, 2, 3]):
        obs = env.step(np.zeros(1))[0]
        assert obs[::3, 0, 0].tolist() == wanted and obs[2::3, 7, 5].tolist() == wanted
    assert (held == 0).all()  # what the caller keeps does not change under it
    obs, _ = env.reset()
    assert (obs == 0).all()


@pytest.mark.parametrize(
    "wrap", [lambda env: ActionRepeat(env, 0), lambda env: StackFrames(env, 0)]
)
def test_counts_below_one_are_refused(wrap):
    with pytest.raises(ValueError, match="at least 1"):
        wrap(Counting())


def test_a_stack_of_a_stack_is_refused():
    with pytest.raises(UnsupportedEnvironment, match=r"\(H, W, 3\)"):
        StackFrames(StackFrames(Counting(), 3), 3)


def test_a_stack_survives_what_its_caller_writes_into_it():
    env = StackFrames(Counting(), 3)
    env.reset()[0][:] = 77
    for wanted in ([0, 0, 1], [0, 1, 2]):
        obs = env.step(np.zeros(1))[0]
        assert obs[::3, 0, 0].tolist() == wanted
        obs[:] = 77
