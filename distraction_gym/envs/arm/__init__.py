"""SMG's tasks of an xArm7 on a table, in changed looks and before video (the table)."""

from distraction_gym.registration import Suite

TASKS = ("reach", "push", "pegbox", "hammerall")
TESTS = ("test1", "test2", "test3", "test4", "test5")

SUITE = Suite(
    name="arm",
    entry_point="distraction_gym.envs.arm.env:make",
    tasks=TASKS,
    modes=("clean", *TESTS, "video_easy", "video_hard"),
    packs={"video_easy": "video_easy", "video_hard": "video_hard"},
    extra="arm",
)
