"""What is there for a while only: masks follow it, and no other pixel knows of it."""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym import env_id
from distraction_gym.assets import generated
from distraction_gym.distractions import MODES, build
from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.errors import UnknownName
from distraction_gym.seeding import stream
from distraction_gym.wrappers import AddForegroundMask


def turns(steps, seed=0, **arguments):
    """Return whether the fake scene's body is there, step by step."""
    (vanish,) = build([{"kind": "vanish", **arguments}])
    scene, there = FakeScene(), []
    vanish.reset(stream(seed, "distraction"), scene)
    for _ in range(steps):
        vanish.stage(scene)
        there.append(scene.alphas.get("body", 1.0))
    assert set(scene.alphas) <= {"body"}, "neither sky nor floor"
    return there


@pytest.mark.parametrize(("intensity", "gone"), [(1.0, 4), (0.5, 2), (0.0, 0)])
def test_parts_are_there_and_gone_for_the_steps_that_are_said(intensity, gone):
    there = turns(60, stay=3, gone=4, intensity=intensity)
    assert set(there) <= {0.0, 1.0}
    assert np.mean(there) == pytest.approx(3 / (3 + gone), abs=0.05)
    edges = np.flatnonzero(np.diff(there)) + 1
    spans = {(there[a], int(b - a)) for a, b in pairwise(edges)}
    assert spans == ({(1.0, 3), (0.0, gone)} if gone else set())


def test_episodes_begin_anywhere_in_a_turn():
    first = [turns(1, seed, stay=2, gone=2)[0] for seed in range(20)]
    assert set(first) == {0.0, 1.0}


@pytest.mark.parametrize("wrong", [{"stay": 0}, {"gone": 0}])
def test_no_steps_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        build([{"kind": "vanish", **wrong}])


def played(mode, steps=20, seed=0):
    """Return frames `(T, H, W, 3)`, masks and rewards of an episode of mini-reach."""
    env = AddForegroundMask(gym.make(env_id("mini", "reach", mode)))
    obs, info = env.reset(seed=seed)
    frames, masks, rewards = [obs], [info["foreground"]], []
    env.action_space.seed(0)
    for _ in range(steps):
        obs, reward, *_, info = env.step(env.action_space.sample())
        frames.append(obs)
        masks.append(info["foreground"])
        rewards.append(reward)
    return np.stack(frames).transpose(0, 2, 3, 1), np.stack(masks), rewards


def test_masks_follow_what_vanishes_and_no_other_pixel_changes():
    whole, truth, paid = played("video_hard")
    frames, masks, rewards = played("video_vanish")
    assert rewards == paid
    assert not (masks & ~truth).any()
    areas = masks.sum((1, 2))
    assert 0 in areas and (masks[areas > 0] == truth[areas > 0]).all((1, 2)).any()
    assert (frames[masks] == whole[masks]).all()
    assert (frames[~truth] == whole[~truth]).all()
    gone = truth & ~masks
    assert (frames[gone] != whole[gone]).any(-1).mean() > 0.95


def test_what_matters_to_nobody_comes_and_goes_in_no_mask():
    whole, truth, paid = played("video_hard")
    frames, masks, rewards = played("video_visitors")
    assert rewards == paid and not (masks & ~truth).any()
    assert (frames[masks] == whole[masks]).mean() > 0.97, "their borders are soft"
    crowd = (frames != whole).any(-1).mean((1, 2))
    assert crowd.min() < 0.5 * crowd.max() and np.abs(np.diff(crowd)).max() > 0.02


def test_each_visitor_stays_as_long_as_is_said_and_is_away_as_long():
    (sprites,) = build([{"kind": "sprites", "count": 1, "stay": 3, "speed": 0.0}])
    scene, there = FakeScene(40, 40), []
    sprites.reset(stream(2, "distraction"), scene)
    for _ in range(24):
        sprites.apply(scene.draw(), scene)
        there.append(bool(sprites.cover.any()))
    edges = np.flatnonzero(np.diff(there)) + 1
    assert set(np.diff(edges).tolist()) == {3} and len(edges) >= 7


def test_a_mini_sprite_is_translucent_and_in_the_mask_until_it_is_gone():
    env = MiniEnv("reach")
    stock, _ = env.reset(seed=3)
    mask = env.scene.foreground(stock, ["goal"])
    env.scene.fade("goal", 0.0)
    without = env._draw()
    assert not env.scene.foreground(without, ["goal"]).any()
    env.scene.fade("goal", 0.5)
    half = env._draw().astype(int)
    assert np.abs(2 * half - stock.astype(int) - without)[mask].max() <= 2
    assert (env.scene.foreground(half, ["goal"]) == mask).all()
    env.scene.restore()
    assert (env._draw() == stock).all()
    with pytest.raises(UnknownName, match="Known: body, goal"):
        env.scene.fade("sky", 0.5)


@pytest.mark.render
def test_masks_of_mujoco_follow_too():
    pytest.importorskip("dm_control")
    env = gym.make(env_id("dmcgb", "walker_walk"), mode=[{"kind": "vanish", "stay": 1, "gone": 1}])
    env = AddForegroundMask(env)
    _, info = env.reset(seed=0)
    areas = [info["foreground"].sum()]
    for _ in range(3):
        areas.append(env.step(np.zeros(6, np.float32))[-1]["foreground"].sum())
    assert sorted(area > 100 for area in areas) == [False, False, True, True] and 0 in areas
    env.close()


def test_training_and_evaluation_share_no_clip():
    def packs(mode):
        return {item["pack"] for item in MODES[mode] if item["kind"] == "video"}

    twins = [mode for mode in MODES if mode.endswith("_train")]
    assert {"video_hard_train", "video_vanish_train"} <= set(twins)
    for mode in twins:
        assert packs(mode) and not packs(mode) & packs(mode.removesuffix("_train"))
    shown = [generated.clip(pack, 0, 24)[0] for pack in ("video_hard", "video_hard_train")]
    assert np.abs(np.subtract(*shown, dtype=int)).mean() > 20
