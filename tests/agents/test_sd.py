"""Segmentation Dreamer as a whole: whose masks they are, where they go, and where they do not."""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
import torch
from dreams import SIDE, TINY, Counter, tiny
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.vec_env import SubprocVecEnv, VecFrameStack
from test_dreamer_agent import fingerprint

from distraction_gym.agents import SD, Dreamer
from distraction_gym.agents.common.checkpoint import resume
from distraction_gym.agents.common.presets import PresetError, load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.agents.sd.panels import draw_masks
from distraction_gym.bench.evaluate import play
from distraction_gym.bench.training import configure, make_training_env
from distraction_gym.bench.views import agent_view
from distraction_gym.errors import CheckpointError, UnknownName, UnsupportedEnvironment
from distraction_gym.segmentation import SEGMENTERS, Segmenter, Segments
from distraction_gym.wrappers import AddForegroundMask, MaskObservation

WORSE = {"name": "degraded", "segmenter": "oracle", "recall": 0.5}


class Marked(Counter):
    """Tells a mask that says at which step of an episode, and in which episode, it was made."""

    def mask(self):
        mask = np.zeros((SIDE, SIDE), bool)
        mask[: self.at + 1] = True
        mask[:, -1] = self.episode % 2 == 1
        return mask

    def reset(self, **kwargs):
        obs, info = super().reset(**kwargs)
        return obs, {**info, "foreground": self.mask()}

    def step(self, action):
        *result, info = super().step(action)
        return *result, {**info, "foreground": self.mask()}


@SEGMENTERS.register("first_pixel")
class FirstPixel(Segmenter):
    """Finds as many rows as the picture's first number says; counts the frames that it is given."""

    given = 0

    def segment(self, frames):
        type(self).given += len(frames)
        rows = np.arange(SIDE)[None, :, None] <= frames[:, 0, 0, 0, None, None] // 10
        masks = np.broadcast_to(rows, (len(frames), SIDE, SIDE))
        return Segments(masks[:, None], np.ones((len(frames), 1), np.float32))


@SEGMENTERS.register("since_reset")
class SinceReset(Segmenter):
    """Finds as many rows as frames have come since `reset`, of which it has to be told."""

    is_stateless = False
    count = None

    def reset(self):
        self.count = 0

    def segment(self, frames):
        assert len(frames) == 1
        masks = np.zeros((1, 1, SIDE, SIDE), bool)
        self.count += 1
        masks[..., : self.count, :] = True
        return Segments(masks, np.ones((1, 1), np.float32))


def numbers(batch):
    return (batch.image[..., 0, 0, 0] // 10).long()


def rows(mask):
    return mask[..., 0].sum(-1)


# Masks travel with their pictures.


@pytest.mark.parametrize("n_envs", [1, 3])
def test_the_oracles_masks_lie_beside_their_own_pictures(n_envs):
    """At the ends of episodes, after resets, and where sequences are joined."""
    model = tiny(SD, Marked, n_envs, train_ratio=1).learn(90)
    batch = model.replay_buffer.sample_sequences(60, 12)
    mask, number = batch.extras["mask"], numbers(batch)
    assert mask.dtype == torch.bool and mask.shape == (60, 12, SIDE, SIDE)
    assert torch.equal(rows(mask), number + 1)
    # The odd episodes, which run into a time limit at step 7, have a last column.
    odd = mask[..., -1, -1]
    assert (odd[number > 4]).all() and not odd[batch.terminal == 1].any()
    assert {0, 4, 7} <= set(number.flatten().tolist())
    for one in range(60):
        for at, following in pairwise(range(12)):
            joined = batch.first[one, following] == 1
            assert joined or odd[one, at] == odd[one, following]


def test_sequences_are_sampled_with_their_own_masks_once_the_ring_is_full():
    model = tiny(SD, Marked, 2, buffer_size=40, train_ratio=1).learn(150)
    batch = model.replay_buffer.sample_sequences(40, 9)
    assert torch.equal(rows(batch.extras["mask"]), numbers(batch) + 1)


@pytest.mark.parametrize("masks", ["first_pixel", "since_reset"])
@pytest.mark.parametrize("n_envs", [1, 3])
def test_segmenters_masks_too_and_each_follows_its_own_video(masks, n_envs):
    model = tiny(SD, n_envs=n_envs, masks=masks, train_ratio=1).learn(90)
    batch = model.replay_buffer.sample_sequences(60, 12)
    assert torch.equal(rows(batch.extras["mask"]), numbers(batch) + 1)


@pytest.mark.parametrize("masks", ["oracle", "since_reset"])
@pytest.mark.parametrize("anew", [True, False])
def test_learning_twice_from_stacked_pictures(masks, anew):
    """`VecFrameStack` returns the same array from every reset."""
    model = SD("CnnPolicy", VecFrameStack(make_vec_env(Marked, 1), 2), **TINY, masks=masks)
    model.learn(14)
    model.learn(9, reset_num_timesteps=anew)
    batch = model.replay_buffer.sample_sequences(60, 12)
    assert torch.equal(rows(batch.extras["mask"]), numbers(batch) + 1)


def test_a_segmenter_of_a_run_that_is_resumed_in_mid_episode_is_told_to_begin(tmp_path):
    case = {"cls": SD, "env": Counter, "masks": "since_reset"}
    tiny(**case).learn(18, ResumableCheckpoint(tmp_path, every=1000))
    again = tiny(**case)
    resume(again, tmp_path)
    assert not again._last_episode_starts.any()
    again.learn(20, reset_num_timesteps=False)


def test_checkpoints_without_the_truth_are_refused_where_it_is_told(tmp_path):
    case = {"cls": SD, "masks": "superpixel", "buffer_size": 400}
    untold = tiny(env=lambda: mini().env, **case)
    untold.learn(20, ResumableCheckpoint(tmp_path, every=1000))
    again = tiny(env=mini, **case)
    with pytest.raises(CheckpointError, match="no truth, the model's does"):
        resume(again, tmp_path)


def test_a_frame_is_segmented_once():
    FirstPixel.given = 0
    model = tiny(SD, n_envs=2, masks="first_pixel", train_ratio=5).learn(80)
    # Those that lie in the buffer, and no more; of open episodes the newest is there too.
    begun = (~model.replay_buffer.open).sum()
    assert FirstPixel.given == model.replay_buffer.counts.sum() + begun
    assert model._n_updates > 10


class Spy(gym.Wrapper):
    """Remembers which mask came with which picture."""

    def __init__(self, env, known):
        super().__init__(env)
        self.known = known

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        self.known[obs.tobytes()] = info["foreground"]
        return obs, info

    def step(self, action):
        obs, *rest, info = self.env.step(action)
        self.known[obs.tobytes()] = info["foreground"]
        return obs, *rest, info


def mini(known=None):
    env = gym.make("distraction_gym/mini-catch-video_hard-v0", frame_stack=1)
    env = AddForegroundMask(env)
    return env if known is None else Spy(env, known)


def test_of_distracted_pictures_the_masks_are_those_of_add_foreground_mask():
    known = {}
    model = tiny(SD, lambda: mini(known), 2, train_ratio=1, buffer_size=400).learn(120)
    batch = model.replay_buffer.sample_sequences(20, 30)
    pairs = zip(batch.image.flatten(0, 1), batch.extras["mask"].flatten(0, 1), strict=True)
    assert all(np.array_equal(known[i.numpy().tobytes()], m.numpy()) for i, m in pairs)
    assert batch.first[:, 1:].any(), "over the ends of episodes"


def test_degraded_oracles_are_told_by_the_environment_and_compared_with_it():
    model = tiny(SD, mini, 2, masks=WORSE, train_ratio=1, buffer_size=400).learn(60)
    batch = model.replay_buffer.sample_sequences(10, 10)
    mask, truth = batch.extras["mask"], batch.extras["truth"]
    assert not (mask & ~truth).any()
    areas = mask.sum((-1, -2)), truth.sum((-1, -2))
    assert (areas[0] - 0.5 * areas[1]).abs().max() <= 0.5
    notes = model.policy.world_model.learn(batch).notes
    assert abs(notes["mask_recall"] - 0.5) < 0.01 and notes["mask_precision"] == 1
    assert {"head_recall", "head_precision", "head_iou", "nullified"} <= set(notes)


def test_masks_may_be_widened():
    model = tiny(SD, mini, dilate=1, train_ratio=1, masks=WORSE | {"recall": 1.0}).learn(20)
    batch = model.replay_buffer.sample_sequences(10, 5)
    truth = batch.extras["truth"].float().flatten(0, 1)[:, None]
    wide = torch.nn.functional.max_pool2d(truth, 3, stride=1, padding=1)[:, 0].bool()
    assert torch.equal(batch.extras["mask"].flatten(0, 1), wide)


def test_a_mask_takes_a_bit_a_pixel():
    model = tiny(SD, mini)
    assert model.replay_buffer.planes["mask"].shape[2:] == (36 * 36 // 8,)


# Where they are not needed.


def test_acting_and_testing_need_no_masks():
    model = tiny(SD, Marked).learn(20)
    assert len(play(model, Counter(), 2, seed=0)) == 2  # whose infos say nothing
    action, _ = model.predict(Counter().reset()[0])
    assert action.shape == (1,)


def test_everything_relevant_learned_from_the_start_it_is_dreamer():
    class All(Counter):
        def reset(self, **kwargs):
            obs, info = super().reset(**kwargs)
            return obs, {**info, "foreground": np.ones((SIDE, SIDE), bool)}

        def step(self, action):
            *result, info = super().step(action)
            return *result, {**info, "foreground": np.ones((SIDE, SIDE), bool)}

    sd, dreamer = tiny(SD, All).learn(40), tiny(Dreamer, All).learn(40)
    pairs = zip(sd.policy.parameters(), dreamer.policy.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs) and sd._n_updates > 5


def test_the_ablation_that_masks_the_input_is_dreamer_in_masked_pictures():
    known = {}
    model = tiny(Dreamer, lambda: Spy(MaskObservation(mini(), "oracle"), known), train_ratio=1)
    model.learn(30)
    batch = model.replay_buffer.sample_sequences(10, 9)
    images = batch.image.flatten(0, 1).numpy()
    masks = np.stack([known[image.tobytes()] for image in images])[:, None]
    assert (images * ~masks == 0).all() and (images * masks).any()


# Settings and errors.


def test_the_oracles_masks_are_naive_and_others_selective():
    assert not tiny(SD).is_selective and not tiny(SD, masks={"name": "oracle"}).is_selective
    assert tiny(SD, masks=WORSE).is_selective and tiny(SD, selective=True).is_selective
    assert not tiny(SD, masks="first_pixel", selective=False).is_selective


def test_environments_that_tell_nothing_are_refused():
    with pytest.raises(UnsupportedEnvironment, match="wrapper_class=AddForegroundMask"):
        tiny(SD).learn(5)
    with pytest.raises(UnsupportedEnvironment, match="wrapper_class=AddForegroundMask"):
        tiny(SD, masks=WORSE).learn(5)


def test_masks_of_another_size_are_refused():
    class Other(Marked):
        def mask(self):
            return np.zeros((SIDE, SIDE + 1), bool)

    with pytest.raises(UnsupportedEnvironment, match=r"\(12, 13\) and the picture \(12, 12\)"):
        tiny(SD, Other).learn(5)


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        ({"masks": "orakel"}, UnknownName, "Did you mean 'oracle'"),
        ({"masks": {"name": "degraded", "segmenter": "orakel"}}, UnknownName, "'oracle'"),
        ({"masks": {"k": 3}}, ValueError, "masks is a name or"),
        ({"masks": {"name": "oracle", "objects": []}}, ValueError, "objects=\\[...\\]"),
        ({"target": "grey"}, UnknownName, "unknown target 'grey'"),
        ({"dilate": -1}, ValueError, "dilate must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense(wrong, error, told):
    with pytest.raises(error, match=told):
        tiny(SD, **wrong)


# Logs, pictures, files.


class Kept(KVWriter):
    def __init__(self):
        self.values = {}

    def write(self, key_values, key_excluded, step=0):
        self.values.update(key_values)


def test_what_is_logged():
    model, kept = tiny(SD, mini, masks=WORSE, draw_every=5), Kept()
    model.set_logger(Logger(None, [kept]))
    model.learn(60, log_interval=1)
    names = {name.removeprefix("train/") for name in kept.values}
    qualities = {f"{who}_{what}" for who in ("mask", "head") for what in ("recall", "iou")}
    assert names >= {"image_loss", "mask_loss", "nullified", "mask_precision", *qualities}
    sheet = kept.values["pictures/masks"].image
    assert sheet.shape == (3 * 4 * 36, 5 * 36, 3)
    assert "pictures/open_loop" in kept.values


def test_pictures_of_masks():
    model = tiny(SD, Marked, train_ratio=1).learn(30)
    batch = model.replay_buffer.sample_sequences(3, 4)
    sheet = draw_masks(model.policy.world_model, batch, rows=2)
    assert sheet.shape == (2 * 3 * SIDE, 4 * SIDE, 3)
    target = sheet[SIDE : 2 * SIDE, :SIDE]
    mask, image = batch.extras["mask"][0, 0].numpy(), batch.image[0, 0].permute(1, 2, 0).numpy()
    assert (target[~mask] == 0).all() and np.array_equal(target[mask], image[mask])


@pytest.mark.parametrize("masks", ["oracle", WORSE])
def test_views_show_what_is_relevant(masks):
    model = tiny(SD, Marked, masks=masks)
    panels = agent_view(model)(model.observation_space.sample())
    assert panels["relevant"].shape == (SIDE, SIDE)
    assert panels["reconstruction"].shape == (SIDE, SIDE, 3)
    found = model.explain(np.stack([model.observation_space.sample() for _ in range(2)]))
    assert found.shape == (2, SIDE, SIDE) and 0 <= found.min() <= found.max() <= 1


def test_saved_and_loaded_it_acts_without_an_environment_and_learns_on(tmp_path):
    model = tiny(SD, mini, masks=WORSE, selective=True, target="mask").learn(30)
    model.save(tmp_path / "model")
    alone = SD.load(tmp_path / "model", device="cpu")
    assert alone.masks == WORSE and alone.target == "mask" and alone.compares
    obs = model.observation_space.sample()
    acts = []
    for each in (model, alone):
        torch.manual_seed(0)
        acts.append(each.predict(obs)[0])
    assert np.array_equal(*acts)
    again = SD.load(tmp_path / "model", env=model.get_env(), device="cpu")
    assert again.learn(20)._n_updates > model._n_updates


@pytest.mark.parametrize("masks", ["oracle", WORSE])
def test_resumed_equals_unbroken(masks, tmp_path):
    case = {"cls": SD, "env": Marked, "n_envs": 2, "masks": masks}
    whole = tiny(**case)
    whole.learn(80, ResumableCheckpoint(tmp_path, every=30, keep=9))
    again = tiny(**case, seed=99)
    resume(again, next(tmp_path.glob("0001-*")))
    again.learn(80 - again.num_timesteps, reset_num_timesteps=False)
    assert again._n_updates == whole._n_updates and fingerprint(again) == fingerprint(whole)


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("sd", f"distraction_gym/{suite}-clean-v0")
    assert preset["env_wrapper"] == ["distraction_gym.wrappers.AddForegroundMask"]
    parent = load_preset("dreamer", f"distraction_gym/{suite}-clean-v0")
    assert preset.items() >= parent.items(), "SD changes nothing of its parent's settings"


def test_nobody_tells_the_masks_of_a_real_arm():
    assert load_preset("sd", "distraction_gym/ur5_real-reach-lab-v0")["env_wrapper"] == []


def test_environments_of_other_processes():
    env = make_vec_env(
        Marked, 2, vec_env_cls=SubprocVecEnv, vec_env_kwargs={"start_method": "fork"}
    )
    model = SD("CnnPolicy", env, **{**TINY, "train_ratio": 1}).learn(40)
    batch = model.replay_buffer.sample_sequences(30, 9)
    assert torch.equal(rows(batch.extras["mask"]), numbers(batch) + 1)
    env.close()


def test_runs_from_the_command_line_wrap_their_environments():
    env = "distraction_gym/mini-catch-video_hard-v0"
    config = configure("sd", env, overrides={"masks": WORSE, "buffer_size": 100})
    envs = make_training_env(config)
    assert all(envs.env_is_wrapped(AddForegroundMask)) and envs.num_envs == 4
    envs.close()
    other = {"distraction_gym.wrappers.AddForegroundMask": {"objects": ["body"]}}
    envs = make_training_env(configure("sd", env, n_envs=1, overrides={"env_wrapper": other}))
    assert envs.reset_infos[0] == {} and envs.reset().shape and "foreground" in envs.reset_infos[0]
    with pytest.raises(PresetError, match="is no wrapper of"):
        make_training_env(configure("sd", env, overrides={"env_wrapper": "subprocess.Popen"}))
