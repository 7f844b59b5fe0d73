"""What matters in each dm_control task: the names exist, and the pixels are the papers'."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("dm_control")

from distraction_gym import env_id
from distraction_gym.envs.dmc_relevant import RELEVANT, relevant
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.scenes.objects import find
from distraction_gym.wrappers import AddForegroundMask

load_mujoco()
suite = pytest.importorskip("dm_control.suite")

COVERED = [(domain, name) for domain, name in suite.ALL_TASKS if domain in RELEVANT]


@pytest.mark.parametrize(("domain", "name"), COVERED)
def test_every_name_is_one_of_the_models(domain, name):
    physics = suite.load(domain, name).physics
    for thing in relevant(domain, name):
        assert find(physics.model.ptr, thing)


def test_poles_are_counted():
    assert relevant("cartpole", "swingup") == ["body:cart", "body:pole_1"]
    assert relevant("cartpole", "three_poles")[-1] == "body:pole_3"
    assert relevant("swimmer", "swimmer6") is None


def drawn(domain, name):
    """Return which objects dm_control itself draws, `(type, name) -> (64, 64)` bool."""
    control = suite.load(domain, name, task_kwargs={"random": 0})
    control.reset()
    physics = control.physics
    pixels = physics.render(64, 64, camera_id=0, segmentation=True)
    kinds = {5: "geom", 6: "site", 18: "tendon"}
    return physics, {
        f"{kinds[kind]}:{physics.model.id2name(index, kinds[kind])}": (pixels == (index, kind)).all(
            axis=-1
        )
        for index, kind in {tuple(pixel) for pixel in pixels.reshape(-1, 2).tolist()}
        if index >= 0
    }


CUP = {f"geom:cup_part_{index}" for index in range(5)}
FINGER = {"geom:proximal", "geom:proximal_decoration", "geom:distal", "geom:fingertip"}
SPINNER = {"geom:cap1", "geom:cap2", "geom:spinner_decoration"}
LEGS = [f"{side}{part}" for side in "bf" for part in ("thigh", "shin", "foot")]
SIDES = [f"{side}_{part}" for side in ("right", "left") for part in ("thigh", "leg", "foot")]
HOPPER = ("torso", "nose", "pelvis", "thigh", "calf", "foot")
IN_THE_PICTURE = {
    ("cheetah", "run"): {f"geom:{name}" for name in ("torso", "head", *LEGS)},
    ("hopper", "stand"): {f"geom:{name}" for name in HOPPER},
    ("walker", "run"): {f"geom:{name}" for name in ("torso", *SIDES)},
    ("cartpole", "swingup"): {"geom:cart", "geom:pole_1"},
    ("reacher", "easy"): {f"geom:{name}" for name in ("arm", "hand", "finger", "root", "target")},
    ("ball_in_cup", "catch"): {"geom:ball", "tendon:string", *CUP},
    ("finger", "spin"): FINGER | SPINNER,
    ("finger", "turn_hard"): {"site:target", "site:tip"} | FINGER | SPINNER,
    ("pendulum", "swingup"): {"geom:pole", "geom:mass", "geom:base"},
}


@pytest.mark.render
@pytest.mark.parametrize(("domain", "name"), IN_THE_PICTURE)
def test_the_mask_is_what_dm_control_draws_of_these_objects(domain, name):
    """Types and numbers are compared: a site, a tendon and a geom may share their number."""
    physics, objects = drawn(domain, name)
    wanted = IN_THE_PICTURE[domain, name]
    assert wanted <= set(objects)
    scene = MujocoScene(
        physics.model.ptr,
        physics.data.ptr,
        image_size=64,
        camera=0,
        relevant=relevant(domain, name),
    )
    mask = scene.foreground(scene.render())
    assert (mask == np.any([objects[thing] for thing in wanted], axis=0)).mean() > 0.998
    scene.close()


@pytest.mark.render
def test_the_cheetah_may_have_its_ground():
    """An ablation of the paper's, of prior knowledge that is wrong: the ground matters too."""
    masks = []
    known = relevant("cheetah", "run")
    for objects in (None, ["geom:ground"], [*known, "geom:ground"]):
        env = gym.make(env_id("dmcgb", "cheetah_run"), image_size=64)
        env = AddForegroundMask(env, objects=objects)
        masks.append(env.reset(seed=0)[1]["foreground"])
        env.close()
    body, ground, both = masks
    assert ground.sum() > 2 * body.sum() and not (body & ground).any()
    assert (both == body | ground).all()


@pytest.mark.render
@pytest.mark.parametrize(
    ("suite_name", "task", "pixels"),
    [
        ("dmcgb", "cartpole_swingup", 68),
        ("dcs", "reacher_easy", 141),
        ("dmcgb2", "walker_walk", 300),
    ],
)
def test_the_ids_use_them(suite_name, task, pixels):
    """The areas are those measured in dm_control's own segmentation, of 4096 pixels."""
    env = AddForegroundMask(gym.make(env_id(suite_name, task), image_size=64))
    _, info = env.reset(seed=0)
    assert info["foreground"].sum() == pytest.approx(pixels, rel=0.15)
    env.close()
