"""Adroit: a dexterous hand opens, hammers, turns and carries, as in RL-ViGen (the table)."""

from distraction_gym.registration import Suite

TASKS = ("door", "hammer", "pen", "relocate")
MODES = ("clean", "color_easy", "color_hard", "video_easy", "video_hard")

SUITE = Suite(
    name="adroit",
    entry_point="distraction_gym.envs.adroit.env:make",
    tasks=TASKS,
    modes=MODES,
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="adroit",
)
