"""Distracting Control Suite: background, camera and colours at once (the table)."""

from distraction_gym.envs.dmcgb import TASKS as DMCGB_TASKS
from distraction_gym.registration import Suite

DOMAINS = ("walker", "cartpole", "ball_in_cup", "finger", "cheetah", "reacher")
TASKS = tuple(task for domain in DOMAINS for task in DMCGB_TASKS if task.startswith(f"{domain}_"))
MODES = (
    "clean",
    # the suite's own difficulties
    "easy_static",
    "easy_dynamic",
    "medium_static",
    "medium_dynamic",
    "hard_static",
    "hard_dynamic",
    # the continuous intensities of DMC-GB's variant, all dynamic
    "beta_0025",
    "beta_005",
    "beta_01",
    "beta_015",
    "beta_02",
    "beta_03",
    "beta_04",
    "beta_05",
)

SUITE = Suite(
    name="dcs",
    entry_point="distraction_gym.envs.dcs.env:make",
    tasks=TASKS,
    modes=MODES,
    packs=dict.fromkeys(MODES[1:], "davis"),
    extra="dmc",
)
