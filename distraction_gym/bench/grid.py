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
from distraction_gym.bench.training import configure
from distraction_gym.errors import DistractionGymError
from distraction_gym.registration import env_id


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

    def folder(self, out: Path, algo: str, seed: int) -> Path:
        """Return the run folder of a cell."""
        return out / f"{self.suite}-{self.task}" / f"{algo}-s{seed}"


def run_grid(grid: Grid, out: Path, workers: int) -> list[records.Record]:
    """Run the cells that have no records yet and return the records of all.

    Raises:
        GridError: if cells failed; the message names their logs.
        UnknownName: for an unknown suite, task, mode or algorithm, before anything runs.
    """
    for mode in grid.modes:
        env_id(grid.suite, grid.task, mode)
    cells = [(algo, seed) for seed in grid.seeds for algo in grid.algos]
    jobs = [job for algo, seed in cells if (job := _job(grid, out, algo, seed)) is not None]
    failed = run_jobs(jobs, workers)
    if failed:
        logs = ", ".join(str(job.log) for job in failed)
        raise GridError(
            f"{len(failed)} of {len(cells)} runs failed, see {logs}. "
            "The same command runs what is missing."
        )
    folders = [grid.folder(out, algo, seed) for algo, seed in cells]
    found = [record for folder in folders for record in records.read(folder)]
    return [record for record in found if record.mode in grid.modes]


def _job(grid: Grid, out: Path, algo: str, seed: int) -> Job | None:
    """Return what is left to do in a cell, or None."""
    folder = grid.folder(out, algo, seed)
    config = configure(
        algo, env_id(grid.suite, grid.task), steps=grid.steps, overrides=grid.overrides
    )
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
        name=f"{algo} s{seed}",
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
