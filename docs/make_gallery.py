"""Draw the pictures of the documentation: `make gallery`. All footage is generated.

`--only mini` draws what needs no renderer; `--only dcs` one suite's sheet, `--only kinds` that of
all distractions.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym import env_id
from distraction_gym.distractions import DISTRACTIONS
from distraction_gym.registration import SUITES, parse_id
from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, ObserveScene
from distraction_gym.wrappers.record import newest_frame
from distraction_gym.wrappers.video import side_by_side

Picture = npt.NDArray[np.uint8]
FOLDER = Path(__file__).parent / "img"
EXAMPLES = Path(__file__).parents[1] / "examples"
DMCGB = ("walker_walk", "cheetah_run", "cartpole_swingup", "finger_spin", "ball_in_cup_catch")
INTENSITIES = (0.25, 0.5, 1.0)
# With its own settings it is mostly there.
SHOWN = {"vanish": {"stay": 1}}
SEED, STEPS = 3, 6
PANEL, LABEL, PAPER, INK = 84, 150, 255, (40, 40, 40)


def play(env: gym.Env) -> Picture:
    """Return an environment's picture after a few random steps, `(H, W, 3)` uint8."""
    env.action_space.seed(SEED)
    obs, _ = env.reset(seed=SEED)
    for _ in range(STEPS):
        obs, *_ = env.step(env.action_space.sample())
    return obs if obs.shape[-1] == 3 else newest_frame(obs)


def frame(name: str, **kwargs: object) -> Picture:
    """Return the picture of a registered ID."""
    env = gym.make(name, assets="generated", disable_env_checker=True, **kwargs)
    try:
        return play(env)
    finally:
        env.close()


def save(name: str, page: Picture) -> None:
    """Write a picture with few enough bytes to commit: WebP where it is large."""
    path = FOLDER / name
    options = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 9], ".webp": [cv2.IMWRITE_WEBP_QUALITY, 80]}
    cv2.imwrite(str(path), cv2.cvtColor(page, cv2.COLOR_RGB2BGR), options[path.suffix])
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB", flush=True)


def write(page: Picture, text: str, place: tuple[int, int], scale: float = 0.36) -> None:
    """Write a label into a page."""
    cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)


def sheet(rows: Mapping[str, Mapping[str, Picture]]) -> Picture:
    """Return a table of pictures: row -> column -> picture."""
    columns = list(next(iter(rows.values())))
    step = PANEL + 4
    page = np.full((24 + step * len(rows), LABEL + step * len(columns), 3), PAPER, np.uint8)
    for across, column in enumerate(columns):
        write(page, column, (LABEL + step * across, 15), 0.3)
    for down, (row, pictures) in enumerate(rows.items()):
        top = 20 + step * down
        write(page, row, (4, top + PANEL // 2))
        for across, picture in enumerate(pictures.values()):
            left = LABEL + step * across
            panel = np.kron(picture, np.ones((PANEL // len(picture),) * 2 + (1,), np.uint8))
            page[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return page


def suite(name: str) -> None:
    """Draw every task of a suite under every mode."""
    table = SUITES[name]
    rows = {task: {m: frame(env_id(name, task, m)) for m in table.modes} for task in table.tasks}
    save(f"suite_{name}.webp", sheet(rows))


def kinds() -> None:
    """Draw every distraction at three intensities, on walker."""
    from distraction_gym.envs import dmc

    def disturbed(kind: str, intensity: float) -> Picture:
        control = dmc.suite.load("walker", "walk")
        scene = ObserveScene(dmc.DmControlEnv(control, "rgb_array"))
        mode = [{"kind": kind, "intensity": intensity, **SHOWN.get(kind, {})}]
        env = DistractionWrapper(scene, mode, assets="generated")
        try:
            return play(env)
        finally:
            env.close()

    save(
        "kinds.webp",
        sheet({kind: {str(i): disturbed(kind, i) for i in INTENSITIES} for kind in DISTRACTIONS}),
    )


def composites() -> None:
    """Draw the two compositions and the exact mask side by side."""
    name = env_id("dmcgb", "walker_walk", "video_hard")
    env = gym.make(name, assets="generated")
    exact = play(env)
    scene, clean = (env.get_wrapper_attr(key) for key in ("scene", "undistorted"))
    panels = {
        "exact": exact,
        "chroma": frame(name, composite="chroma"),
        "foreground": ~scene.background(("sky", "floor"), clean),
    }
    save("composites.png", side_by_side(panels, "dmcgb-walker_walk-video_hard", 252))


def headline(suite: str, task: str, size: int) -> None:
    """Draw one task under DMC-GB's modes, in a row."""
    modes = ("clean", "color_easy", "color_hard", "video_easy", "video_hard")
    panels = {mode: frame(env_id(suite, task, mode)) for mode in modes}
    save(f"{suite}_{task}.png", side_by_side(panels, f"{suite}-{task}", size))


def own_env() -> None:
    """Let the example draw its own picture."""
    script = EXAMPLES / "wrap_your_own_env.py"
    sys.argv = [str(script), "--out", str(FOLDER / "own_env.png")]
    runpy.run_path(str(script), run_name="__main__")


def mini() -> None:
    """Draw what needs no renderer."""
    for task in SUITES["mini"].tasks:
        headline("mini", task, 144)
    suite("mini")
    own_env()


def metaworld() -> None:
    """Draw Meta-World: one task's modes, and what matters in each task (all alike in the rest)."""
    headline("metaworld", "coffee_button", 168)
    tasks = SUITES["metaworld"].tasks
    pairs = {task: kept(env_id("metaworld", task), 128) for task in tasks}
    names = [*tasks, *[None] * (-len(tasks) % 4)]
    blank = np.full((128, 256, 3), PAPER, np.uint8)
    page = np.vstack(
        [
            np.hstack([pairs.get(name, blank) for name in names[start : start + 4]])
            for start in range(0, len(names), 4)
        ]
    )
    save("suite_metaworld.webp", page)


def kept(name: str, size: int) -> Picture:
    """Return an ID's first picture, labelled, beside what matters in it, `(size, 2 * size, 3)`."""
    env = AddForegroundMask(gym.make(name, image_size=size, disable_env_checker=True))
    try:
        obs, info = env.reset(seed=SEED)
    finally:
        env.close()
    picture = newest_frame(obs)
    both = np.hstack([picture, np.where(info["foreground"][..., None], picture, PAPER)])
    write(both, parse_id(name).task, (4, 12), 0.32)
    return both


def dmcgb() -> None:
    """Draw DMC-GB: the papers' five tasks, both compositions, and all."""
    for task in DMCGB:
        headline("dmcgb", task, 168)
    composites()
    suite("dmcgb")


def main() -> None:
    """Draw everything."""
    pages = {
        name: lambda name=name: suite(name) for name, table in SUITES.items() if not table.hardware
    }
    pages |= {"mini": mini, "dmcgb": dmcgb, "metaworld": metaworld, "kinds": kinds}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=pages)
    only = parser.parse_args().only
    FOLDER.mkdir(exist_ok=True)
    for name, draw in pages.items():
        if only in (None, name):
            draw()


if __name__ == "__main__":
    main()
