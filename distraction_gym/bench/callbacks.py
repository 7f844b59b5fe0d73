"""Callbacks of a training run: episode log, evaluation per mode, progress for a parent process."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from distraction_gym.bench.evaluate import evaluate
from distraction_gym.bench.runs import RunConfig

PROGRESS = "progress "
"""What a line of `ProgressLines` starts with."""


class StepTable:
    """A CSV whose first column is the agent step; a resumed run forgets what lies ahead of it."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, ["step", *columns]

    def open_at(self, step: int) -> None:
        """Keep the rows up to a step: the run is about to measure the later ones again."""
        rows: list[list[str]] = []
        if step and self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in list(csv.reader(file))[1:] if int(row[0]) <= step]
        with self._path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self._columns, *rows])

    def add(self, step: int, values: Sequence[float | str]) -> None:
        """Append one row."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([step, *values])


class EpisodeLog(BaseCallback):
    """Write the return and length of every training episode to a CSV."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._table = StepTable(path, ("return", "length", "seconds"))

    def _on_training_start(self) -> None:
        self._table.open_at(self.num_timesteps)

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                episode = info["episode"]
                self._table.add(self.num_timesteps, (episode["r"], episode["l"], episode["t"]))
        return True


class Evaluation(BaseCallback):
    """Measure the model under several modes every so many agent steps.

    Unlike `EvalCallback`, each evaluation plays the same seeds, in every mode and at every step,
    so that a resumed run measures what an uninterrupted one does.
    """

    def __init__(
        self, run: RunConfig, path: Path, every: int, modes: Sequence[str], episodes: int
    ) -> None:
        super().__init__()
        self._run, self._every, self._modes, self._episodes = run, every, modes, episodes
        self._table = StepTable(path, ("mode", "return", "std", "episodes"))
        self._last = 0

    def _on_training_start(self) -> None:
        self._last = self.num_timesteps
        self._table.open_at(self.num_timesteps)

    def _on_step(self) -> bool:
        if self.num_timesteps // self._every > self._last // self._every:
            self._last = self.num_timesteps
            for mode in self._modes:
                self._measure(mode)
        return True

    def _measure(self, mode: str) -> None:
        record = evaluate(self.model, self._run, mode, self._episodes)
        returns = record.returns
        mean, spread = float(np.mean(returns)), float(np.std(returns))
        self.logger.record(f"eval/return_{mode}", mean)
        if record.successes:
            self.logger.record(f"eval/success_{mode}", float(np.mean(record.successes)))
        self._table.add(self.num_timesteps, (mode, round(mean, 4), round(spread, 4), len(returns)))


class ProgressLines(BaseCallback):
    """Print one JSON line a second for a parent process that draws the bars."""

    def __init__(self, total: int, seconds: float = 1.0) -> None:
        super().__init__()
        self._total, self._seconds, self._printed = total, seconds, 0.0

    def _on_step(self) -> bool:
        if time.monotonic() - self._printed >= self._seconds:
            self._print()
        return True

    def _on_training_end(self) -> None:
        self._print()

    def _print(self) -> None:
        self._printed = time.monotonic()
        recent = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        page = {
            "step": min(self.num_timesteps, self._total),
            "total": self._total,
            "return": float(np.mean(recent)) if recent else None,
        }
        print(PROGRESS + json.dumps(page), flush=True)
