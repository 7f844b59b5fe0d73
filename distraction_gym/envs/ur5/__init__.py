"""MaDi's task of a UR5 that looks at a screen, simulated (the table)."""

from distraction_gym.registration import Suite

SUITE = Suite(
    name="ur5",
    entry_point="distraction_gym.envs.ur5.env:make",
    tasks=("reach",),
    modes=("clean", "color_easy", "color_hard", "video_easy", "video_hard"),
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="ur5",
)
