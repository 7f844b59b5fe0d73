"""Run commands in child processes, a few at a time, with a bar for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from distraction_gym.bench.callbacks import PROGRESS
from distraction_gym.errors import require

# One thread each: with small networks, processes side by side beat threads inside one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_MODULE = ("-m", "distraction_gym")
_PLAIN_SHARE = 0.1
"""Where there is no terminal: print a line each time this share of a job is done."""


@dataclass(frozen=True)
class Job:
    """Commands that run one after the other; what they print goes to a log."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    log: Path
    total: int
    """Steps that make the bar full."""


def run_jobs(jobs: Sequence[Job], workers: int) -> list[Job]:
    """Run jobs, `workers` at a time, and return those that failed.

    A job that fails does not stop the others. An interrupt ends the children as well.
    """
    running: list[subprocess.Popen[str]] = []
    with Board() as board, ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_run, job, board, running) for job in jobs]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in running:
                child.terminate()
            raise
    return [job for job, worked in zip(jobs, results, strict=True) if not worked]


def _run(job: Job, board: Board, running: list[subprocess.Popen[str]]) -> bool:
    board.start(job)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("a", encoding="utf-8") as log:
        for command in job.commands:
            if _run_command(command, job, log, board, running) != 0:
                board.end(job, f"failed, see {job.log}")
                return False
    board.end(job, "done")
    return True


def _run_command(
    command: Sequence[str],
    job: Job,
    log: TextIO,
    board: Board,
    running: list[subprocess.Popen[str]],
) -> int:
    child = subprocess.Popen(
        [sys.executable, *_MODULE, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **_ONE_THREAD},
    )
    running.append(child)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(PROGRESS):
            board.show(job, json.loads(line.removeprefix(PROGRESS)))
        else:
            log.write(line)
            log.flush()
    return child.wait()


class Board:
    """Bars on a terminal, now and then a line elsewhere."""

    def __init__(self) -> None:
        progress = require("rich.progress", "agents")
        columns = [
            progress.TextColumn("{task.description:>16}"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:>7,.0f}/{task.total:,.0f}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[note]}"),
        ]
        self._bars = progress.Progress(*columns)
        self._plain = not self._bars.console.is_terminal
        self._tasks: dict[Job, Any] = {}
        self._done: dict[Job, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Board:
        if not self._plain:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._plain:
            self._bars.stop()

    def start(self, job: Job) -> None:
        """Add a bar."""
        with self._lock:
            self._tasks[job] = self._bars.add_task(job.name, total=job.total, note="")
            self._done[job] = 0.0

    def show(self, job: Job, page: dict[str, Any]) -> None:
        """Show a line of `ProgressLines`."""
        note = "" if page["return"] is None else f"return {page['return']:.1f}"
        share = page["step"] / job.total
        with self._lock:
            self._bars.update(self._tasks[job], completed=page["step"], note=note)
            if self._plain and share >= self._done[job] + _PLAIN_SHARE:
                self._done[job] = share
                self._print(job, f"{share:4.0%}  {note}")

    def end(self, job: Job, note: str) -> None:
        """Say how a job ended."""
        with self._lock:
            self._bars.update(self._tasks[job], note=note)
            if self._plain:
                self._print(job, note)

    @staticmethod
    def _print(job: Job, text: str) -> None:
        print(f"{job.name:>16}  {text}", flush=True)
