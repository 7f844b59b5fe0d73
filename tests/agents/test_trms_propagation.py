"""TRMS with a segmenter that follows the picture: every environment's frames, in their order."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import OWN, SIDE, SMALL, small
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

from distraction_gym.agents import TRMS
from distraction_gym.agents.common.checkpoint import resume, save_checkpoint
from distraction_gym.agents.trms.planes import frames_of, unpack
from distraction_gym.agents.trms.teacher import Teacher
from distraction_gym.agents.trms.video import Video
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.segmentation import SEGMENTERS, Segmenter, make_segmenter
from distraction_gym.segmentation.base import fill

STACK, LENGTH, EVERY = 2, 7, 3
CLUTTER = np.random.default_rng(7).integers(30, 90, (SIDE, SIDE, 3), dtype=np.uint8)


class Drift(gym.Env):
    """A patch that drifts over clutter, blinks, and stops for a step; episodes of 7 steps."""

    observation_space = spaces.Box(0, 255, (3 * STACK, SIDE, SIDE), np.uint8)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, film):
        self.film = film
        """Episodes, `(LENGTH + 1, H, W, 3)` each, that were shown; the newest is still growing."""

    def _draw(self):
        frame = CLUTTER.copy()
        row, column = self.place
        shown = self.film[-1]
        blinks = 4 * (len(shown) in (1, 2, 6))  # which the flow does not explain
        frame[row : row + 9 - blinks, column : column + 7] = (230, 60, 40)
        shown.append(frame)
        stack = [shown[max(len(shown) - 1 - back, 0)] for back in range(STACK)[::-1]]
        return np.concatenate([frame.transpose(2, 0, 1) for frame in stack])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.film.append([])
        self.place = self.np_random.integers(0, 10, 2)
        return self._draw(), {}

    def step(self, action):
        shown = len(self.film[-1])
        self.place = self.place + (1, 2) * np.array(shown != 4)
        return self._draw(), 1.0, False, shown == LENGTH, {}


@SEGMENTERS.register("reddish_counted")
class Reddish(Segmenter):
    """One mask: where it is red; counts frames."""

    frames = 0

    def segment(self, frames):
        type(self).frames += len(frames)
        masks = [frame[None, ..., 0] > 150 for frame in frames]
        return fill(masks, [np.full(1, 0.7, np.float32)] * len(frames), self.k)


PROPAGATED = {"name": "propagated", "segmenter": "reddish_counted", "every": EVERY}
SETTINGS = {**SMALL, **OWN[TRMS], "segmenter": PROPAGATED, "teach_steps": 1000}


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    monkeypatch.setattr(Reddish, "frames", 0)


def made(envs=2, **settings):
    films = [[] for _ in range(envs)]
    env = DummyVecEnv([lambda film=film: Drift(film) for film in films])
    return TRMS("CnnPolicy", env, **{**SETTINGS, **settings}), films


def played(film, segmenter):
    """Return the masks of every frame of an episode, played through it frame by frame."""
    segmenter.reset()
    return np.stack([segmenter.segment(frame[None]).masks[0] for frame in film])


def kept(model, slot, env, later):
    """Return the frames and masks of a transition in the replay."""
    buffer = model.replay_buffer
    slots, envs = np.array([slot]), np.array([env])
    obs = (buffer._next_observations if later else buffer._observations)(slots, envs)
    frames, _ = model._split(obs)
    parts = obs.view(STACK, -1, SIDE, SIDE)
    return frames_of(frames.flatten(1, 2).numpy())[0], unpack(parts[:, 3:], model.k).bool().numpy()


def check_replay(model, films, steps):
    """Check every frame and mask of the replay against episodes played from their beginning."""
    propagated = make_segmenter(**PROPAGATED, k=model.k)
    for env, film in enumerate(films):
        expected = [played(episode, propagated) for episode in film]
        for step in range(steps):
            episode, age = divmod(step, LENGTH)
            for later in (False, True):
                frames, masks = kept(model, step, env, later)
                ages = np.maximum(np.arange(age + later - STACK + 1, age + later + 1), 0)
                np.testing.assert_array_equal(frames, np.stack(film[episode])[ages])
                np.testing.assert_array_equal(masks, expected[episode][ages])


# Random steps alone, where only the replay asks; and steps of the sampler, which asks first.
@pytest.mark.parametrize("learning_starts", [1000, 6])
def test_masks_in_the_replay_are_those_of_episodes_played_frame_by_frame(learning_starts):
    model, films = made(learning_starts=learning_starts)
    steps = 2 * LENGTH + 3
    model.learn(2 * steps)
    check_replay(model, films, steps)
    assert not np.array_equal(*(kept(model, 1, env, True)[1] for env in range(2)))


def test_a_video_begins_anew_after_an_end_and_where_a_step_is_missing():
    frames = np.stack([np.roll(CLUTTER, 40 * shift, axis=1) for shift in range(5)])
    segmenter = make_segmenter("propagated", segmenter="reddish_counted", every=99, residual=255.0)
    video = Video(segmenter)
    asked = []
    for look in (
        lambda: video.look(frames[[0, 0]]),
        lambda: video.go_on(frames[[0, 1]], False),
        lambda: video.go_on(frames[[2, 3]], False),  # where 1, 2 is expected
        lambda: video.go_on(frames[[3, 3]], False),  # a picture that stays
        lambda: video.go_on(frames[[3, 4]], True),
        lambda: video.look(frames[[3, 4]]),  # the same again, in another episode
        lambda: video.look(frames[[3, 4]]),
    ):
        assert look().shape == (2, segmenter.k, SIDE, SIDE)
        asked.append(Reddish.frames)
    assert asked == [1, 1, 2, 2, 2, 3, 3]


def test_they_are_not_those_of_the_segmenter_itself():
    model, films = made(envs=1)
    model.learn(LENGTH)
    itself = played(films[0][0], make_segmenter("reddish_counted", k=model.k))
    found = np.stack([kept(model, step, 0, True)[1][-1] for step in range(LENGTH)])
    same = [np.array_equal(*pair) for pair in zip(found, itself[1:], strict=True)]
    assert same[EVERY - 1] and same[2 * EVERY - 1] and not all(same)


def test_every_nth_frame_of_each_environment_is_segmented():
    model, films = made()
    steps = 2 * LENGTH
    model.learn(2 * steps)
    keys = -(-(LENGTH + 1) // EVERY)  # of an episode: it has a frame more than steps
    # A blank frame in front. The third episodes have begun, but were not acted in yet.
    assert [len(film) for film in films] == [3, 3]
    assert Reddish.frames == 1 + 2 * 2 * keys


def test_panels_and_films_show_key_frames_and_leave_the_videos_alone():
    model, _ = made(panel_interval=5)
    model.learn(LENGTH)
    obs = model._last_obs
    before = Reddish.frames
    wanted = obs[:, -3] > 150
    for _ in range(2):
        np.testing.assert_array_equal(model.choose(obs).planes[:, 0].numpy(), wanted)
    assert model.panels(obs).shape[0] == 2 * 108 and "teacher" in model.views(obs[:1])
    assert Reddish.frames == before + 2 + 2 + 2 + 1
    model.learn(3 * LENGTH, reset_num_timesteps=False)
    assert model.num_timesteps >= 4 * LENGTH


def test_pictures_in_training_show_the_masks_of_the_replay(monkeypatch):
    model, _ = made(panel_interval=1)
    model.learn(14)
    monkeypatch.setattr(model.teacher, "masks", None)  # nobody asks about frames in no order
    with model._learning():
        model.train(2, 8)


@pytest.mark.parametrize(
    "setting", [{"segment_in_updates": True}, {"replay_buffer_class": ReplayBuffer}]
)
def test_frames_in_no_order_are_refused(setting):
    model, _ = made(envs=1, **setting)
    with pytest.raises(ValueError, match=r"follows the picture .* segment_in_updates=False"):
        model.learn(1)


@pytest.mark.parametrize("segmenter", ["oracle", {**PROPAGATED, "segmenter": "oracle"}])
def test_what_only_the_environment_could_tell_is_refused(segmenter):
    model, _ = made(envs=1, segmenter=segmenter)
    with pytest.raises(UnsupportedEnvironment, match=r"oracle.* Type:  segmenter='superpixel'"):
        model.learn(1)


def test_the_number_of_masks_is_the_segmenters_within():
    model = small(TRMS, segmenter={**PROPAGATED, "segmenter": "halves"}, k="auto")
    assert model.k == 2
    worse = Teacher({"name": "degraded", "segmenter": "halves"}, 3, cached=True)
    assert worse.masks(np.zeros((1, 8, 8, 3), np.uint8)).shape == (1, 3, 8, 8)


def test_a_resumed_run_begins_with_key_frames(tmp_path):
    model, films = made(learning_starts=1000)
    model.learn(2 * 3)
    save_checkpoint(model, tmp_path)
    again, _ = made(learning_starts=1000)
    resume(again, tmp_path)
    again.learn(2 * 4, reset_num_timesteps=False)
    for env, film in enumerate(films):
        segmenter = make_segmenter(**PROPAGATED, k=model.k)
        stored = [kept(again, step, env, True) for step in range(LENGTH)]
        before = played(film[0][:4], segmenter)
        after = played([frames[-1] for frames, _ in stored[1:]], segmenter)
        found = np.stack([masks[-1] for _, masks in stored])
        # The newest observation of the checkpoint stacks two frames: the earlier one is the key.
        np.testing.assert_array_equal(found, np.concatenate([before[1:], after[2:]]))


def test_a_replay_saved_by_itself_has_masks_of_the_agent_that_takes_it(tmp_path):
    model, _ = made(learning_starts=1000)
    model.learn(8).save_replay_buffer(tmp_path / "replay.pkl")
    again, _ = made(learning_starts=1000)
    again.load_replay_buffer(tmp_path / "replay.pkl")
    assert again.replay_buffer.segment is None
    again.learn(2, reset_num_timesteps=False)
    assert again.replay_buffer.segment == again._masks_to_keep
    assert torch.equal(again.replay_buffer.frames[:4], model.replay_buffer.frames[:4])
