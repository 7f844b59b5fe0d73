"""The demonstration: SAC falls when the background plays a film, MaDi holds."""

from __future__ import annotations

from pathlib import Path

from distraction_gym.bench.film import film
from distraction_gym.bench.grid import Grid, run_grid
from distraction_gym.bench.report import write_report
from distraction_gym.bench.runs import load_model, read_config

ALGOS = ("sac", "madi")
MODES = ("clean", "color_hard", "video_easy", "video_hard")
FILMED = "video_hard"
STEPS = 16_000
"""Less than the presets' training, so that it ends in minutes."""


def demo(out: Path, workers: int = 2, steps: int | None = None, episodes: int = 30) -> list[Path]:
    """Train both agents on mini-reach, measure and film them; go on where a killed demo stopped.

    Args:
        out: Takes the models, the report, and an mp4 of each agent.
        workers: Processes at once.
        steps: Agent steps of training; None for `STEPS`.
        episodes: Per mode.

    Returns:
        The files of the report, and the films.
    """
    grid = Grid(
        "mini",
        "reach",
        ALGOS,
        MODES,
        (0,),
        episodes,
        steps or STEPS,
        assets="generated",
    )
    print(f"Training {' and '.join(ALGOS)} on mini-reach, clean, {workers} at a time.", flush=True)
    records = run_grid(grid, out, workers)
    files = write_report(records, out, "Does the agent still work when the background plays?")
    for algo in ALGOS:
        folder = grid.folder(out, algo, 0)
        path = out / f"{algo}-{FILMED}.mp4"
        film(load_model(folder, "cpu"), read_config(folder), FILMED, path)
        files.append(path)
    return files
