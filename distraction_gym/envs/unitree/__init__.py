"""RL-ViGen's locomotion: a Unitree robot that walks or stands up (the table)."""

from distraction_gym.registration import Suite

TASKS = ("walk", "stand")
MODES = ("clean", "color_easy", "color_hard", "video_easy", "video_hard")

SUITE = Suite(
    name="unitree",
    entry_point="distraction_gym.envs.unitree.env:make",
    tasks=TASKS,
    modes=MODES,
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="unitree",
)
