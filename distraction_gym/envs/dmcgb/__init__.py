"""DMC-GB: dm_control under changed colours and video backgrounds (the table; `env.py` builds)."""

from distraction_gym.registration import Suite

TASKS = (
    # the five of SODA and SVEA, and five more that papers report
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
    # the rest of these domains
    "acrobot_swingup",
    "acrobot_swingup_sparse",
    "cartpole_balance_sparse",
    "cartpole_swingup_sparse",
    "cartpole_two_poles",
    "cartpole_three_poles",
    "finger_turn_hard",
    "fish_upright",
    "fish_swim",
    "hopper_stand",
    "humanoid_stand",
    "humanoid_walk",
    "humanoid_run",
    "humanoid_run_pure_state",
    "manipulator_bring_ball",
    "manipulator_bring_peg",
    "manipulator_insert_ball",
    "manipulator_insert_peg",
    "pendulum_swingup",
    "point_mass_easy",
    "point_mass_hard",
    "quadruped_walk",
    "quadruped_run",
    "quadruped_escape",
    "quadruped_fetch",
    "reacher_hard",
    "swimmer_swimmer6",
    "swimmer_swimmer15",
    "walker_run",
)

SUITE = Suite(
    name="dmcgb",
    entry_point="distraction_gym.envs.dmcgb.env:make",
    tasks=TASKS,
    modes=("clean", "color_easy", "color_hard", "video_easy", "video_hard"),
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="dmc",
)
