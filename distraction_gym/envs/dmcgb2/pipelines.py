"""DMC-GB2's modes as lists of distractions."""

from __future__ import annotations

from typing import Any

from distraction_gym.distractions.modes import Mode

SCREEN = "video_screen"
"""The texture, and the material, that `screens.add_screen` compiles into the model."""

SHIFT_LIMITS = {
    "walker": (10, -10, 10, -10),
    "cheetah": (10, -10, 10, -10),
    "cartpole": (8, -8, 10, -10),
    "finger": (6, -6, 12, -6),
    "ball_in_cup": (6, -6, 12, -6),
}
"""Largest and smallest pan and tilt of the hard modes, in degrees (DMC-GB2's code)."""
_SCREEN_SIDES = (128, 256)
_EASY_ROTATION, _EASY_SHIFT = 1 / 2, 1 / 1.5

# Half sizes and places in metres (DMC-GB2's code); two follow the robot in x and z.
_WIDE, _NARROW = [1.86, 0.1, 1.86], [0.66, 0.1, 0.66]
_TABLE = {"size": _NARROW, "position": [0.0, 0.5, 0.05], "tilt": -27.0}
SCREENS: dict[str, dict[str, Any]] = {
    "walker": {"size": _WIDE, "position": [0.0, 1.96, -1.07], "tilt": -30.0, "follow": [0, 2]},
    "cheetah": {"size": _WIDE, "position": [-0.05, 1.6, 0.15], "follow": [0, 2]},
    "cartpole": {"size": _WIDE, "position": [0.0, 0.5, 1.0]},
    "finger": _TABLE,
    "ball_in_cup": _TABLE,
}


def pipeline(mode: str, domain: str, image_size: int) -> Mode:
    """Return a mode's distractions, in the order in which they act.

    Args:
        mode: A name in `MODES` of the suite's table.
        domain: dm_control's domain.
        image_size: Height and width of the observation in pixels.
    """
    if mode == "clean":
        return []
    kinds, _, level = mode.rpartition("_")
    easy = level == "easy"
    made: dict[str, dict[str, Any]] = {
        # Before the rotation: the offset is about the axes of the stock camera.
        "shift": {
            "kind": "shift",
            "intensity": _EASY_SHIFT if easy else 1.0,
            "limits": list(SHIFT_LIMITS[domain]),
        },
        "rotate": {"kind": "rotate", "intensity": _EASY_ROTATION if easy else 1.0},
        "color": {"kind": "color", "table": f"color_{level}", "order": "seeded"},
        "video": {
            "kind": "texture_video",
            "pack": f"video_{level}",
            "part": SCREEN,
            "screen": {"material": SCREEN, **SCREENS[domain]},
            # The floor goes in video_hard only; color_video_hard keeps it.
            "fade": {"floor": 0.0} if mode == "video_hard" else {},
            "order": "seeded",
            "size": screen_side(image_size),
        },
    }
    wanted = kinds.split("_")
    return [item for name, item in made.items() if name in wanted]


def screen_side(image_size: int) -> int:
    """Return how large to send clips to the renderer: 1.5 texels per pixel, at most DMC-GB2's own.

    At 84 pixels that is 128: a mean difference below 1 grey level, a fourth of the memory.
    """
    return next((side for side in _SCREEN_SIDES if side >= 1.5 * image_size), _SCREEN_SIDES[-1])
