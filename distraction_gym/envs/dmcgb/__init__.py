"""DMC-GB: dm_control's suite under changed colours and video backgrounds (the table; `env.py` builds)."""

from distraction_gym.registration import Suite

TASKS = (
    "walker_walk",
    "walker_stand",
    "cartpole_swingup",
    "ball_in_cup_catch",
    "finger_spin",
    "cheetah_run",
    "finger_turn_easy",
    "reacher_easy",
    "cartpole_balance",
    "hopper_hop",
    "hopper_stand",
    "pendulum_swingup",
    "acrobot_swingup",
    "quadruped_walk",
    "humanoid_walk",
    "point_mass_easy",
    "swimmer_swimmer6",
    "fish_swim",
    "manipulator_bring_ball",
)

SUITE = Suite(
    name="dmcgb",
    entry_point="distraction_gym.envs.dmcgb.env:make",
    tasks=TASKS,
    modes=("clean", "color_easy", "color_hard", "video_easy", "video_hard"),
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="dmc",
)
