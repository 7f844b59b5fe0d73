"""The mini suite: tasks drawn with NumPy and OpenCV, for minutes on a CPU (the table)."""

from distraction_gym.registration import Suite

SUITE = Suite(
    name="mini",
    entry_point="distraction_gym.envs.mini.env:make",
    tasks=("reach", "track", "catch"),
    modes=(
        *("clean", "color_easy", "color_hard", "video_easy", "video_hard"),
        # for agents that learn under distraction, and for things that come and go
        *("video_hard_train", "video_vanish", "video_vanish_train"),
        "video_visitors",
    ),
    kwargs={"image_size": 36, "frame_stack": 1},
)
