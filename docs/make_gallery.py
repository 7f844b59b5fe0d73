"""Draw the pictures of the documentation: `make gallery`. All footage is generated.

`--only mini` draws what needs no renderer.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym import env_id
from distraction_gym.wrappers.record import newest_frame
from distraction_gym.wrappers.video import side_by_side

FOLDER = Path(__file__).parent / "img"
EXAMPLES = Path(__file__).parents[1] / "examples"
MODES = ("clean", "color_easy", "color_hard", "video_easy", "video_hard")
MINI = ("reach", "track", "catch")
DMCGB = ("walker_walk", "cheetah_run", "cartpole_swingup", "finger_spin", "ball_in_cup_catch")
SEED, STEPS = 3, 6
SIZES = {"mini": 144, "dmcgb": 168}


def frame(name: str, **kwargs: object) -> tuple[npt.NDArray[np.uint8], gym.Env]:
    """Return an environment's picture after a few random steps, `(H, W, 3)` uint8."""
    env = gym.make(name, assets="generated", **kwargs)
    env.action_space.seed(SEED)
    obs, _ = env.reset(seed=SEED)
    for _ in range(STEPS):
        obs, *_ = env.step(env.action_space.sample())
    return newest_frame(obs), env


def save(name: str, page: npt.NDArray[np.uint8]) -> None:
    """Write a PNG with few enough bytes to commit."""
    path = FOLDER / f"{name}.png"
    cv2.imwrite(str(path), cv2.cvtColor(page, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


def modes(suite: str, task: str) -> None:
    """Draw one task under every mode."""
    panels = {mode: frame(env_id(suite, task, mode))[0] for mode in MODES}
    save(f"{suite}_{task}", side_by_side(panels, f"{suite}-{task}", SIZES[suite]))


def composites() -> None:
    """Draw the two compositions and the exact mask side by side."""
    name = env_id("dmcgb", "walker_walk", "video_hard")
    exact, env = frame(name)
    chroma, _ = frame(name, composite="chroma")
    wrapper = env.get_wrapper_attr("scene"), env.get_wrapper_attr("undistorted")
    behind = wrapper[0].background(("sky", "floor"), wrapper[1])
    panels = {"exact": exact, "chroma": chroma, "foreground": ~behind}
    save("composites", side_by_side(panels, "dmcgb-walker_walk-video_hard", 252))


def own_env() -> None:
    """Let the example draw its own picture."""
    script = EXAMPLES / "wrap_your_own_env.py"
    sys.argv = [str(script), "--out", str(FOLDER / "own_env.png")]
    runpy.run_path(str(script), run_name="__main__")


def main() -> None:
    """Draw everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("mini", "dmcgb"))
    only = parser.parse_args().only
    FOLDER.mkdir(exist_ok=True)
    if only != "dmcgb":
        for task in MINI:
            modes("mini", task)
        own_env()
    if only != "mini":
        for task in DMCGB:
            modes("dmcgb", task)
        composites()


if __name__ == "__main__":
    main()
