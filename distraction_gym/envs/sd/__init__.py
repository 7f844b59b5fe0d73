"""Segmentation Dreamer's protocol: dm_control under natural video, in training too (the table)."""

from distraction_gym.registration import Suite

TASKS = (
    # the poster's
    "cartpole_swingup",
    "cartpole_swingup_sparse",
    "cheetah_run",
    "hopper_stand",
    "reacher_easy",
    "walker_run",
    # others of these domains, and domains that are told apart by the same rule
    "walker_walk",
    "walker_stand",
    "finger_spin",
    "finger_turn_hard",
    "ball_in_cup_catch",
    "pendulum_swingup",
)

SUITE = Suite(
    name="sd",
    entry_point="distraction_gym.envs.sd.env:make",
    tasks=TASKS,
    modes=("clean", "video_train", "video_test", "blue_train", "blue_test"),
    packs={
        f"{rule}_{split}": f"driving_{split}"
        for rule in ("video", "blue")
        for split in ("train", "test")
    },
    extra="dmc",
)
