"""The modes of the Distracting Control Suite, and of DMC-GB's variant, as lists of distractions."""

from __future__ import annotations

from typing import Any, NamedTuple

from distraction_gym.distractions.modes import Mode

FLOOR_ALPHA = {"reacher": 0.0, "cartpole": 0.3, "finger": 0.3, "ball_in_cup": 0.3}
"""How opaque the floor is (the suite's code); 1 where not listed."""
_SKY_SIDES = (256, 512, 800)


class Level(NamedTuple):
    """How strong a mode is."""

    beta: float
    clips: int | None
    """Only the first so many of the pack; None is all."""
    dynamic: bool
    moves_per_control_step: float = 1.0


LEVELS: dict[str, Level] = {
    f"{name}_{motion}": Level(beta, clips, motion == "dynamic")
    for name, beta, clips in (("easy", 0.1, 4), ("medium", 0.2, 8), ("hard", 0.3, None))
    for motion in ("static", "dynamic")
}
# DMC-GB's variant moves on every second control step.
for _beta, _clips in ((0.025, 2), (0.05, 2), (0.1, 4), (0.15, 6), (0.2, 8)):
    LEVELS[f"beta_{str(_beta).replace('.', '')}"] = Level(_beta, _clips, True, 0.5)
for _beta in (0.3, 0.4, 0.5):
    LEVELS[f"beta_{str(_beta).replace('.', '')}"] = Level(_beta, None, True, 0.5)


def pipeline(mode: str, domain: str, action_repeat: int, image_size: int) -> Mode:
    """Return a mode's distractions, in the suite's order: background, camera, colours.

    Args:
        mode: A name in `MODES` of the suite's table.
        domain: dm_control's domain.
        action_repeat: Control steps per agent step: one frame is drawn for all of them, after as
            many moves as they would have made.
        image_size: Height and width of the observation in pixels.
    """
    if mode == "clean":
        return []
    level = LEVELS[mode]
    moves = level.moves_per_control_step * action_repeat
    sky: dict[str, Any] = {
        "kind": "texture_video",
        "pack": "davis",
        "part": "sky",
        "size": sky_side(image_size),
        "fade": {"floor": FLOOR_ALPHA.get(domain, 1.0)},
        "clips": level.clips,
        "start": "random",
        "motion": "bounce" if level.dynamic else "still",
        "frames_per_step": moves,
    }
    camera = {
        "kind": "camera",
        "intensity": level.beta,
        "motion": "dcs" if level.dynamic else "static",
        "upright": domain != "reacher",
        "moves_per_step": moves,
    }
    colors = {
        "kind": "materials",
        "intensity": level.beta,
        "dynamic": level.dynamic,
        "moves_per_step": moves,
    }
    return [sky, camera, colors]


def sky_side(image_size: int) -> int:
    """Return how large to send clips to the renderer: at least two texels per pixel.

    A side of the sky spans 90 degrees and the picture 45. The suite's own size is the last.
    """
    return next((side for side in _SKY_SIDES if side >= 2 * image_size), _SKY_SIDES[-1])
