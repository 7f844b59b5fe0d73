"""FrameReplayBuffer against Stable-Baselines3's ReplayBuffer, fed by the same stream."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.errors import UnsupportedEnvironment

SIDE = 4
ACTIONS = spaces.Box(-1, 1, (2,))


def pictures(channels: int) -> spaces.Box:
    return spaces.Box(0, 255, (channels, SIDE, SIDE), np.uint8)


class Stream:
    """Episodes of random length for one environment, as SB3's VecEnv would tell them."""

    def __init__(
        self, seed: int, stack: int, channels: int, start: str, breaks: float = 0.03
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.stack, self.channels, self.start = stack, channels, start
        self.breaks = breaks  # how often an episode breaks off without a done
        self.reset()

    def frame(self) -> np.ndarray:
        return self.rng.integers(0, 256, (self.channels, SIDE, SIDE), dtype=np.uint8)

    def reset(self) -> None:
        first = self.frame()
        older = {"repeat": lambda: first, "zeros": lambda: np.zeros_like(first)}
        fill = older.get(self.start, self.frame)  # "random": the middle of some episode
        self.obs = np.concatenate([fill() for _ in range(self.stack - 1)] + [first])
        self.left = int(self.rng.integers(1, 9))

    def step(self) -> tuple:
        obs = self.obs
        next_obs = np.concatenate([obs[self.channels :], self.frame()])
        self.obs, self.left = next_obs, self.left - 1
        done = self.left == 0
        truncated = bool(done and self.rng.random() < 0.5)
        if done or self.rng.random() < self.breaks:
            self.reset()
        return obs, next_obs, self.rng.uniform(-1, 1, 2), self.rng.normal(), done, truncated


def feed(buffers: list, streams: list[Stream], steps: int) -> None:
    for _ in range(steps):
        obs, following, action, reward, done, cut = zip(*(s.step() for s in streams), strict=True)
        infos = [{"TimeLimit.truncated": flag} for flag in cut]
        for buffer in buffers:
            buffer.add(*map(np.stack, (obs, following, action, reward, done)), infos)


def pair(size: int, n_envs: int, stack: int, channels: int = 3, **kwargs):
    args = (size, pictures(stack * channels), ACTIONS, "cpu", n_envs)
    ours = FrameReplayBuffer(*args, frame_channels=channels, **kwargs)
    return ours, ReplayBuffer(*args, **kwargs)


def assert_same_samples(ours, slow, batch: int = 64) -> None:
    state = np.random.get_state()
    mine = ours.sample(batch)
    after = np.random.get_state()[2]
    np.random.set_state(state)
    theirs = slow.sample(batch)
    assert after == np.random.get_state()[2], "another number of random draws"
    for name, a, b in zip(mine._fields, mine, theirs, strict=True):
        if b is not None:
            assert a.dtype == b.dtype and a.shape == b.shape, name
            assert torch.equal(a, b), name


@pytest.mark.parametrize("n_envs", [1, 2, 3])
@pytest.mark.parametrize("stack", [1, 2, 3, 4])
@pytest.mark.parametrize("start", ["repeat", "zeros", "random"])
def test_samples_equal_those_of_the_slow_buffer(n_envs, stack, start):
    np.random.seed(0)
    ours, slow = pair(37, n_envs, stack)
    streams = [Stream(10 * i, stack, 3, start) for i in range(n_envs)]
    for _ in range(30):  # 90 steps and more: the ring wraps at every phase
        feed([ours, slow], streams, 5)
        assert (ours.size(), ours.pos, ours.full) == (slow.size(), slow.pos, slow.full)
        assert_same_samples(ours, slow)
    assert len(ours.tails) == ours.ends.sum(), "frames beside the ring go with their transitions"
    assert len(ours.heads) <= ours.ring * n_envs


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_buffer_shorter_than_a_stack(size):
    ours, slow = pair(size, 1, 4)
    streams = [Stream(3, 4, 3, "random")]
    for _ in range(40):
        feed([ours, slow], streams, 1)
        assert_same_samples(ours, slow, 8)


def test_every_transition_can_be_drawn_after_the_ring_has_wrapped():
    ours, _ = pair(20, 2, 3)
    feed([ours], [Stream(i, 3, 3, "repeat") for i in range(2)], 47)
    drawn = {tuple(row) for row in ours.sample(2000).actions.numpy().round(6).tolist()}
    assert len(drawn) == 20


def test_grey_frames():
    ours, slow = pair(30, 2, 4, channels=1)
    feed([ours, slow], [Stream(i, 4, 1, "repeat") for i in range(2)], 50)
    assert_same_samples(ours, slow)


@pytest.mark.parametrize("handle", [True, False])
def test_time_limits_are_not_terminal_unless_asked(handle):
    ours, slow = pair(64, 1, 3, handle_timeout_termination=handle)
    feed([ours, slow], [Stream(5, 3, 3, "repeat")], 64)
    assert slow.dones.sum() > slow.timeouts.sum() or not handle
    assert_same_samples(ours, slow, 256)


def test_next_obs_of_a_time_limit_is_the_terminal_picture():
    """Not the first picture of the next episode, which SB3's VecEnv hands over with `done`."""
    ours, _ = pair(8, 1, 2)
    a, b, end, new, after = (np.full((3, SIDE, SIDE), v, np.uint8) for v in (1, 2, 3, 4, 5))
    steps = [((a, a), (a, b), False), ((a, b), (b, end), True), ((new, new), (new, after), False)]
    for obs, following, done in steps:
        stacks = np.concatenate(obs)[None], np.concatenate(following)[None]
        ours.add(*stacks, np.zeros((1, 2)), np.zeros(1), np.array([done]), [{}])
    at = np.arange(3), np.zeros(3, int)
    obs, following = ours._observations(*at), ours._next_observations(*at)
    assert obs[:, ::3, 0, 0].tolist() == [[1, 1], [1, 2], [4, 4]]
    assert following[:, ::3, 0, 0].tolist() == [[1, 2], [2, 3], [4, 5]]


def test_samples_are_copies():
    ours, _ = pair(10, 1, 3)
    feed([ours], [Stream(0, 3, 3, "repeat")], 10)
    before = ours.frames.clone()
    batch = ours.sample(32)
    batch.observations.zero_()
    batch.next_observations.zero_()
    assert torch.equal(ours.frames, before)


def test_what_is_added_may_be_overwritten_by_the_caller():
    ours, slow = pair(10, 1, 3)
    obs, following = np.zeros((2, 1, 9, SIDE, SIDE), np.uint8)
    for step in range(6):
        following[:, :6], following[:, 6:] = obs[:, 3:], step + 1
        for buffer in (ours, slow):
            buffer.add(obs, following, np.zeros((1, 2)), np.zeros(1), np.zeros(1), [{}])
        obs[:] = following
    assert_same_samples(ours, slow)


def test_reset_and_pickle():
    ours, slow = pair(12, 1, 3)
    stream = [Stream(0, 3, 3, "zeros")]
    feed([ours], stream, 20)
    ours.reset()
    assert ours.size() == 0
    feed([ours, slow], stream, 20)
    ours = pickle.loads(pickle.dumps(ours))
    feed([ours, slow], stream, 7)
    assert_same_samples(ours, slow)


def test_rewards_are_normalised_by_vec_normalize():
    class Tiny(gym.Env):
        observation_space, action_space = pictures(9), ACTIONS

    ours, slow = pair(16, 1, 3)
    feed([ours, slow], [Stream(0, 3, 3, "repeat")], 16)
    env = VecNormalize(DummyVecEnv([Tiny]), norm_obs=False)
    env.ret_rms.var = np.float64(4.0)
    np.random.seed(1)
    mine = ours.sample(8, env=env)
    np.random.seed(1)
    theirs = slow.sample(8, env=env)
    assert torch.equal(mine.rewards, theirs.rewards)
    env.norm_obs = True
    with pytest.raises(UnsupportedEnvironment, match="norm_obs=False"):
        ours.sample(8, env=env)


def test_memory_is_one_frame_per_transition_and_taken_lazily():
    buffer = FrameReplayBuffer(100_000, spaces.Box(0, 255, (9, 84, 84), np.uint8), ACTIONS, "cpu")
    assert buffer._frames is None
    assert buffer.ring * 3 * 84 * 84 < 2.2e9


def test_observations_that_are_no_stacks_are_refused():
    ours, _ = pair(10, 1, 3)
    rng = np.random.default_rng(0)
    obs, following = rng.integers(0, 256, (2, 1, 9, SIDE, SIDE), dtype=np.uint8)
    with pytest.raises(UnsupportedEnvironment, match="replay_buffer_class=ReplayBuffer"):
        ours.add(obs, following, np.zeros((1, 2)), np.zeros(1), np.zeros(1), [{}])
    newest_first = np.concatenate([rng.integers(0, 256, (1, 3, 4, 4)), obs[:, :-3]], axis=1)
    with pytest.raises(UnsupportedEnvironment, match="oldest first"):
        ours.add(obs, newest_first, np.zeros((1, 2)), np.zeros(1), np.zeros(1), [{}])


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Box(-1, 1, (9, 4, 4)), "uint8"),
        (spaces.Box(0, 255, (12,), np.uint8), "uint8"),
        (spaces.Discrete(3), "uint8"),
        (pictures(4), "frame_channels"),
    ],
)
def test_other_observation_spaces_are_refused(space, words):
    with pytest.raises(UnsupportedEnvironment, match=words):
        FrameReplayBuffer(10, space, ACTIONS)


def test_optimize_memory_usage_is_refused():
    with pytest.raises(ValueError, match="leave optimize_memory_usage out"):
        FrameReplayBuffer(10, pictures(9), ACTIONS, optimize_memory_usage=True)


@pytest.mark.parametrize("n_envs", [1, 2])
def test_one_step_that_a_callback_cut_off_is_kept_as_it_is(n_envs):
    """`learn` called again after a callback ended it misses a step between obs and next_obs."""
    ours, slow = pair(25, n_envs, 3)
    streams = [Stream(i, 3, 3, "repeat") for i in range(n_envs)]
    for _ in range(20):
        feed([ours, slow], streams, 4)
        cut = [stream.step() for stream in streams]
        obs = np.stack([step[0] for step in cut])
        for stream in streams:
            stream.step()
        later = np.stack([stream.obs for stream in streams])
        for buffer in (ours, slow):
            buffer.add(obs, later, np.zeros((n_envs, 2)), *np.zeros((2, n_envs)), [{}] * n_envs)
        assert_same_samples(ours, slow)
        feed([ours, slow], streams, 1)
        assert_same_samples(ours, slow)


@pytest.mark.parametrize("n_envs", [1, 2])
@pytest.mark.parametrize("n_steps", [2, 3, 5])
def test_returns_over_steps_are_those_of_the_stock_buffer(n_envs, n_steps):
    args = (40, pictures(9), ACTIONS, "cpu", n_envs)
    returns = {"n_steps": n_steps, "gamma": 0.9}
    ours, slow = FrameReplayBuffer(*args, **returns), NStepReplayBuffer(*args, **returns)
    streams = [Stream(seed, 3, 3, "random", breaks=0.0) for seed in range(n_envs)]
    for steps in (7, 15, 60):  # not full, full, and wrapped around
        feed([ours, slow], streams, steps)
        for _ in range(10):
            assert_same_samples(ours, slow)


def test_returns_stop_where_an_episode_breaks_off():
    ours = FrameReplayBuffer(40, pictures(9), ACTIONS, "cpu", n_steps=3, gamma=0.5)
    frames = [np.full((3, SIDE, SIDE), value, np.uint8) for value in range(9)]

    def add(newest: int, reward: float) -> None:
        obs = np.concatenate(frames[newest - 2 : newest + 1])
        following = np.concatenate(frames[newest - 1 : newest + 2])
        ours.add(
            obs[None], following[None], np.zeros((1, 2)), np.array([reward]), np.zeros(1), [{}]
        )

    add(2, 1.0)
    add(3, 1.0)
    add(6, 100.0)  # after a reset from outside: no done, another episode
    last, returns, after = ours._returns(np.array([0, 1, 2]), np.zeros(3, int), None)
    assert last.tolist() == [1, 1, 2]
    assert returns.tolist() == [1.5, 1.0, 100.0]
    assert after.tolist() == [0.25, 0.5, 0.5]
