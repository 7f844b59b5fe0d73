"""Sequence replay: what lies beside what, where episodes end, the ring, and files."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from distraction_gym.agents.common import replay_files
from distraction_gym.agents.dreamer import ArraySpec
from distraction_gym.agents.dreamer.sequences import SequenceReplay
from distraction_gym.errors import CheckpointError, UnsupportedEnvironment

SIDE = 8
PICTURES = spaces.Box(0, 255, (3, SIDE, SIDE), np.uint8)
ACTIONS = spaces.Box(-1, 1, (2,), np.float32)


class Stream:
    """An environment's steps, of which every number tells where it belongs.

    Picture i shows i; the action that led to it is (i, -i) / 1000 and its reward i + 0.5.
    """

    def __init__(self, env, seed=0, longest=9):
        self.rng = np.random.default_rng(seed)
        self.longest = longest
        self.shown = 1000 * env
        self.begin()

    def begin(self):
        self.shown += 1
        self.left = int(self.rng.integers(1, self.longest))
        self.limit = bool(self.rng.integers(2))
        return self.shown

    def step(self):
        before = self.shown
        self.shown += 1
        self.left -= 1
        after, done = self.shown, self.left == 0
        info = {"TimeLimit.truncated": done and self.limit}
        if done:
            self.begin()
        return before, after, done, info


def picture(number):
    frame = np.zeros((3, SIDE, SIDE), np.uint8)
    frame[0, 0, :2] = divmod(number, 256)
    return frame


def number_of(frames):
    return frames[..., 0, 0, 0].astype(int) * 256 + frames[..., 0, 0, 1]


def mask(number):
    return np.random.default_rng(number).random((5, 3)) > 0.5


def feed(buffer, streams, steps):
    """Play, and return every stored step as `(number, action, reward, terminal, first)`."""
    for _ in range(steps):
        before, after, done, infos = zip(*(s.step() for s in streams), strict=True)
        action = np.array([(n, -n) for n in after], np.float32) / 1000
        extras = [{"mask": np.stack([mask(n) for n in numbers])} for numbers in (before, after)]
        buffer.add(
            np.stack([picture(n) for n in before]),
            np.stack([picture(n) for n in after]),
            action,
            np.array(after) + 0.5,
            np.array(done),
            list(infos),
            extras=extras[0],
            next_extras=extras[1],
        )


def build(size=100, n_envs=1, **kwargs):
    extras = {"mask": ArraySpec((5, 3), "bool")}
    return SequenceReplay(size, PICTURES, ACTIONS, "cpu", n_envs, extras=extras, **kwargs)


def arrays(batch):
    fields = (batch.image, batch.action, batch.reward, batch.first, batch.terminal)
    return [field.numpy() for field in fields]


@pytest.mark.parametrize("n_envs", [1, 3])
def test_the_action_led_to_the_picture_and_the_reward_came_with_it(n_envs):
    """The off-by-one: action and reward lie beside the picture that follows them."""
    buffer, streams = build(4000, n_envs), [Stream(i, i) for i in range(n_envs)]
    started = {s.shown for s in streams}
    feed(buffer, streams, 200)
    np.random.seed(0)
    batch = buffer.sample_sequences(64, 12)
    image, action, reward, first, terminal = arrays(batch)
    numbers = number_of(image)
    led = ~np.isclose(action[..., 0], 0)
    np.testing.assert_allclose(action[led][:, 0], numbers[led] / 1000, rtol=1e-6)
    np.testing.assert_allclose(action[led][:, 1], -numbers[led] / 1000, rtol=1e-6)
    np.testing.assert_allclose(reward[led], numbers[led] + 0.5)
    # Where nothing led to a picture an episode began, with nothing paid and nothing over.
    assert (action[~led] == 0).all() and (reward[~led] == 0).all() and not terminal[~led].any()
    assert started & set(numbers[~led].tolist()), "first pictures are there"
    # Within a sequence pictures follow each other, and nothing but `first` breaks the row.
    follows = numbers[:, 1:] == numbers[:, :-1] + 1
    assert (follows | (first[:, 1:] == 1)).all() and (first[:, 0] == 1).all()
    joined = first[:, 1:] == 1
    assert (led[:, 1:][joined] == 0).all(), "what is joined is the start of an episode"
    stored = np.stack([[mask(n) for n in row] for row in numbers])
    assert np.array_equal(batch.extras["mask"].numpy(), stored)


def test_terminations_are_told_from_time_limits_and_the_last_picture_is_there():
    buffer, stream = build(4000), Stream(0, 3)
    ends = {}
    for _ in range(150):
        (before, after, done, info) = stream.step()
        if done:
            ends[after] = not info["TimeLimit.truncated"]
        buffer.add(
            picture(before)[None],
            picture(after)[None],
            np.full((1, 2), 0.1),
            np.ones(1),
            np.array([done]),
            [info],
            extras={"mask": mask(before)[None]},
            next_extras={"mask": mask(after)[None]},
        )
    assert set(ends.values()) == {True, False}
    np.random.seed(1)
    image, _, _, first, terminal = arrays(buffer.sample_sequences(200, 12))
    numbers = number_of(image)
    assert set(ends) <= set(numbers.ravel().tolist())
    for number, ended in zip(numbers.ravel(), terminal.ravel(), strict=True):
        assert ended == ends.get(number, False)
    after = np.array([n in ends for n in numbers.ravel()]).reshape(numbers.shape)
    assert (first[:, 1:][after[:, :-1]] == 1).all(), "nothing follows an end but a start"


def test_episodes_are_drawn_by_length_and_starts_evenly():
    buffer = build(1000)
    for length in (1, 4, 16):
        for at in range(length):
            done = np.array([at == length - 1])
            frames = (picture(n)[None] for n in (100 * length + at, 100 * length + at + 1))
            nothing = {"mask": np.zeros((1, 5, 3), bool)}
            buffer.add(*frames, np.zeros((1, 2)), np.zeros(1), done, [{}], None, nothing, nothing)
    np.random.seed(0)
    starts = number_of(arrays(buffer.sample_sequences(6000, 2))[0])[:, 0]
    episode, at = np.divmod(starts, 100)
    share = np.array([(episode == n).mean() for n in (1, 4, 16)])
    np.testing.assert_allclose(share, np.array([2, 5, 17]) / 24, atol=0.02)
    counts = np.bincount(at[episode == 16], minlength=16)
    assert len(counts) == 16, "two steps at least: never the last picture alone"
    assert counts.min() > 0.8 * counts.mean()


@pytest.mark.parametrize("n_envs", [1, 2])
def test_the_ring_forgets_the_oldest_and_joins_nothing_across_its_seam(n_envs):
    buffer, streams = build(37 * n_envs, n_envs), [Stream(i, i) for i in range(n_envs)]
    for _ in range(40):
        feed(buffer, streams, 7)
        image, _, _, first, _ = arrays(buffer.sample_sequences(20, 10))
        numbers = number_of(image)
        follows = numbers[:, 1:] == numbers[:, :-1] + 1
        assert (follows | (first[:, 1:] == 1)).all()
        newest = {n // 1000: s.shown for n, s in ((s.shown, s) for s in streams)}
        age = np.array([newest[n // 1000] - n for n in numbers.ravel()])
        assert age.max() <= 37 + 1


def test_a_reset_from_outside_begins_an_episode():
    buffer = build()
    nothing = {"mask": np.zeros((1, 5, 3), bool)}

    def add(before, after, begins):
        frames = (picture(n)[None] for n in (before, after))
        still = np.array([False])
        further = ([{}], np.array([begins]), nothing, nothing)
        buffer.add(*frames, np.ones((1, 2)), np.ones(1), still, *further)

    for step in [(1, 2, True), (2, 3, False), (50, 51, True), (51, 52, False)]:
        add(*step)
    image, _, _, first, _ = arrays(buffer.sample_sequences(100, 3))
    numbers = number_of(image)
    follows = numbers[:, 1:] == numbers[:, :-1] + 1
    assert (follows | (first[:, 1:] == 1)).all()
    assert set(np.unique(numbers)) == {1, 2, 3, 50, 51, 52}


def test_of_stacked_frames_the_newest_is_kept():
    space = spaces.Box(0, 255, (6, SIDE, SIDE), np.uint8)
    buffer = SequenceReplay(10, space, ACTIONS, "cpu")
    old, new = np.zeros((3, SIDE, SIDE), np.uint8), np.full((3, SIDE, SIDE), 9, np.uint8)
    stack = np.concatenate([old, new])[None]
    buffer.add(stack, stack, np.zeros((1, 2)), np.zeros(1), np.array([False]), [{}])
    image = buffer.sample_sequences(2, 2).image
    assert image.shape == (2, 2, 3, SIDE, SIDE) and image.dtype == torch.uint8
    assert image.min() == 9


def test_what_it_cannot_store_is_refused():
    with pytest.raises(UnsupportedEnvironment, match="RGB pictures"):
        SequenceReplay(10, spaces.Box(0, 1, (4,)), ACTIONS, "cpu")
    with pytest.raises(ValueError, match="no episode has two steps"):
        build().sample_sequences(1, 2)
    with pytest.raises(TypeError, match="sample_sequences"):
        build().sample(3)


@pytest.mark.parametrize("n_envs", [1, 2])
def test_files_follow_the_ring(n_envs, tmp_path, monkeypatch):
    """Write again and again, unchanged parts as links, and read each into a fresh buffer."""
    monkeypatch.setattr(replay_files, "PART_BYTES", 5 * 192 * n_envs)  # five slots a file
    ours, streams = build(60 * n_envs, n_envs), [Stream(i, i) for i in range(n_envs)]
    rng, links = np.random.default_rng(1), 0
    for turn in range(20):
        feed(ours, streams, int(rng.integers(0, 25)))
        folder = tmp_path / str(turn)
        replay_files.write_replay(ours, folder)
        replay_files.settle(ours, folder)
        links += sum(path.stat().st_nlink > 1 for path in folder.iterdir())
        copy = build(60 * n_envs, n_envs)
        replay_files.read_replay(copy, folder)
        assert copy.size() == ours.size() and np.array_equal(copy.open, ours.open)
        if ours.size():
            samples = []
            for buffer in (ours, copy):
                np.random.seed(turn)
                batch = buffer.sample_sequences(30, 7)
                samples.append([*arrays(batch), batch.extras["mask"].numpy()])
            assert all(np.array_equal(a, b) for a, b in zip(*samples, strict=True))
        if turn % 4 == 3:  # go on with the one that was read
            ours = copy
            replay_files.settle(ours, folder)
    assert links > 20
    with pytest.raises(CheckpointError, match="buffer_size"):
        replay_files.read_replay(build(10 * n_envs, n_envs), folder)


def test_an_empty_buffer_has_files_too(tmp_path):
    replay_files.write_replay(build(), tmp_path / "replay")
    copy = build()
    replay_files.read_replay(copy, tmp_path / "replay")
    assert copy.size() == 0


def test_nothing_large_is_set_aside_before_the_first_step():
    buffer = build(10**7)
    assert not buffer._planes
