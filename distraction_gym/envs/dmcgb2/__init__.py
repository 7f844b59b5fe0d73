"""DMC-GB2: dm_control under turned views, changed colours and a video screen (the table)."""

from distraction_gym.registration import Suite

TASKS = (
    "walker_walk",
    "walker_stand",
    "cheetah_run",
    "finger_spin",
    "cartpole_swingup",
    "ball_in_cup_catch",
)
_KINDS = ("rotate", "shift", "rotate_shift", "color", "video", "color_video")
MODES = ("clean", *(f"{kind}_{level}" for kind in _KINDS for level in ("easy", "hard")))

SUITE = Suite(
    name="dmcgb2",
    entry_point="distraction_gym.envs.dmcgb2.env:make",
    tasks=TASKS,
    modes=MODES,
    packs={
        f"{kind}_{level}": f"video_{level}"
        for kind in ("video", "color_video")
        for level in ("easy", "hard")
    },
    extra="dmc",
)
