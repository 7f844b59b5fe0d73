"""Algorithms x seeds on one task: train each, evaluate it under every mode, skip what is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distraction_gym.bench import records
from distraction_gym.bench.jobs import Job, run_jobs
from distraction_gym.bench.runs import MODEL
from distraction_gym.bench.training import check_folder, configure
from distraction_gym.errors import DistractionGymError
from distraction_gym.registration import env_id

CLEAN = "clean"


class GridError(DistractionGymError, RuntimeError):
    """Some cells of a grid ended with an error; the others are done."""


@dataclass(frozen=True)
class Grid:
    """What to measure."""

    suite: str
    task: str
    algos: tuple[str, ...]
    modes: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: int = 30
    steps: int | None = None
    """Agent steps of training; None takes each preset's."""
    assets: str = "auto"
    device: str = "auto"
    checkpoint_every: int = 10_000
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of every agent's constructor, over the presets'."""
    train_mode: str = CLEAN
    """What agents are trained under."""

    def folder(self, out: Path, algo: str, seed: int) -> Path:
        """Return the run folder of a cell."""
        trained = "" if self.train_mode == CLEAN else f"-{self.train_mode}"
        return out / f"{self.suite}-{self.task}" / f"{algo}{trained}-s{seed}"

    def cells(self) -> list[tuple[str, int]]:
        """Return algorithm and seed of every run."""
        return [(algo, seed) for seed in self.seeds for algo in self.algos]


def run_grid(grid: Grid, out: Path, workers: int) -> list[records.Record]:
    """Run the cells that have no records yet and return the records of all.

    Raises:
        GridError: if cells failed; the message names their logs.
        UnknownName: for an unknown suite, task, mode or algorithm, before anything runs.
        CheckpointError: for a cell that has been run with other settings, before anything runs.
    """
    run_grids({out: grid}, workers)
    return read_grid(grid, out)


def run_grids(grids: Mapping[Path, Grid], workers: int) -> None:
    """Run the cells of several grids that have no records yet, each grid into its own folder.

    Raises:
        GridError, UnknownName: as `run_grid`.
    """
    for grid in grids.values():
        for mode in grid.modes:
            env_id(grid.suite, grid.task, mode)
    cells = [(grid, out, *cell) for out, grid in grids.items() for cell in grid.cells()]
    cells.sort(key=lambda cell: cell[-1])  # stopped early, every grid has the same seeds
    names = {out: f"{out.name}: " if len(grids) > 1 else "" for out in grids}
    jobs = [job for cell in cells if (job := _job(*cell, names[cell[1]])) is not None]
    failed = run_jobs(jobs, workers)
    if failed:
        logs = ", ".join(str(job.log) for job in failed)
        raise GridError(
            f"{len(failed)} of {len(cells)} runs failed, see {logs}. "
            "The same command runs what is missing."
        )


def read_grid(grid: Grid, out: Path) -> list[records.Record]:
    """Return the records that there are of a grid's cells and modes."""
    folders = [grid.folder(out, *cell) for cell in grid.cells()]
    written = [folder for folder in folders if (folder / records.FILE).exists()]
    found = [record for folder in written for record in records.read(folder)]
    return [record for record in found if record.mode in grid.modes]


def _job(grid: Grid, out: Path, algo: str, seed: int, name: str) -> Job | None:
    """Return what is left to do in a cell, or None; its name begins with that of its grid."""
    folder = grid.folder(out, algo, seed)
    config = configure(
        algo,
        env_id(grid.suite, grid.task, grid.train_mode),
        steps=grid.steps,
        overrides=grid.overrides,
        seed=seed,
        assets=grid.assets,
    )
    check_folder(config, folder, go_on=True)
    missing = _missing(grid, folder, config.steps)
    if not missing:
        return None
    train = ["train", "--algo", algo, "--env", config.env, "-n", str(config.steps)]
    train += ["--seed", str(seed), "--assets", grid.assets, "--out", str(folder), "--resume"]
    train += ["--device", grid.device, "--threads", "1", "--progress", "lines"]
    train += ["--checkpoint-every", str(grid.checkpoint_every)]
    for key, value in grid.overrides.items():
        train += ["--set", f"{key}={json.dumps(value)}"]
    measure = ["eval", "--model", str(folder), "--modes", *missing, "--threads", "1"]
    measure += ["--episodes", str(grid.episodes), "--assets", grid.assets]
    measure += ["--device", grid.device]
    return Job(
        name=f"{name}{algo} s{seed}",
        commands=(tuple(train), tuple(measure)),
        log=folder / "log.txt",
        total=config.steps,
    )


def _missing(grid: Grid, folder: Path, steps: int) -> list[str]:
    """Return the modes without a record of this many steps and episodes."""
    if not (folder / records.FILE).exists() or not (folder / MODEL).exists():
        return list(grid.modes)
    done = {
        record.mode
        for record in records.read(folder)
        if record.steps == steps and len(record.returns) >= grid.episodes
    }
    return [mode for mode in grid.modes if mode not in done]
