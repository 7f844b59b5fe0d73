"""A callback that keeps checkpoints while a model learns."""

from __future__ import annotations

import signal
import threading
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from distraction_gym.agents.common.checkpoint import save_checkpoint
from distraction_gym.errors import CheckpointError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ResumableCheckpoint(BaseCallback):
    """Save a checkpoint every `every` steps, at the end, and when the process is asked to end.

    On SIGTERM and on Ctrl-C the run saves at the next clean moment, between updates and steps.
    `learn` then returns with `stopped` set, or, after Ctrl-C, raises KeyboardInterrupt. A second
    signal of the kind does at once what it does without this callback. A checkpoint that cannot be
    written (a full disk) is a warning: the one before it stays, and the run goes on.

    Args:
        folder: The folder of checkpoints.
        every: Agent steps between checkpoints.
        keep: How many of the newest stay on the disk.
        verbose: 1 prints each checkpoint's path.
    """

    def __init__(
        self, folder: str | Path, every: int = 10_000, keep: int = 2, verbose: int = 0
    ) -> None:
        super().__init__(verbose)
        if every < 1 or keep < 1:
            raise ValueError(f"every and keep must be 1 or more, got {every} and {keep}")
        self.folder, self.every, self.keep = Path(folder), every, keep
        self.stopped = False
        self._asked: int | None = None  # the signal's number
        self._saved_at = self._tried_at = 0
        self._before: dict[int, Any] = {}

    def _on_training_start(self) -> None:
        self._let_go()  # of what a `learn` that an error ended has left
        self._saved_at = self._tried_at = self.model.num_timesteps
        self.stopped, self._asked = False, None
        if hasattr(self.model, "keep_last_good"):
            self.model.keep_last_good = self._save
        if threading.current_thread() is threading.main_thread():  # signals reach no other
            # A shell has its background jobs ignore Ctrl-C, and none but Python's handlers can be
            # put back.
            numbers = [n for n in SIGNALS if signal.getsignal(n) not in (signal.SIG_IGN, None)]
            self._before = {number: signal.signal(number, self._ask) for number in numbers}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = number
        signal.signal(number, self._before.pop(number))
        if not self._learning(frame):  # any more: an error ended `learn`, and told nobody
            signal.raise_signal(number)

    def _learning(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_name == "learn" and frame.f_locals.get("self") is self.model:
                return True
            frame = frame.f_back
        return False

    def _let_go(self) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._ask:  # nobody has taken it since
                signal.signal(number, handler)
        self._before = {}
        if hasattr(self.model, "keep_last_good"):
            self.model.keep_last_good = None  # a later `learn` without this callback is not its own

    def _on_rollout_start(self) -> None:
        # Here every step is stored and every update done; `_on_step` comes in the middle of one.
        due = self.model.num_timesteps // self.every > self._tried_at // self.every
        if self._asked is not None:
            self._stop()
        elif due:
            self._save()

    def _stop(self) -> None:
        path = self._save()
        self.stopped = True
        if self._asked == signal.SIGINT:
            self._let_go()
            saved = f"the checkpoint {path} goes on from there" if path else "without a checkpoint"
            raise KeyboardInterrupt(f"stopped at step {self.model.num_timesteps}, {saved}")

    def _on_step(self) -> bool:
        return not self.stopped

    def _on_training_end(self) -> None:
        self._let_go()
        if self.stopped:
            return
        if self._asked is not None:  # in the last steps
            self._stop()
        elif self.model.num_timesteps > self._saved_at:
            self._save()

    def _save(self) -> Path | None:
        model = self.model
        assert isinstance(model, OffPolicyAlgorithm)
        self._tried_at = model.num_timesteps  # where it fails, the next one is due in its turn
        try:
            path = save_checkpoint(model, self.folder, self.keep)
        except CheckpointError as error:
            warnings.warn(f"{error}. The run goes on without it.", stacklevel=2)
            return None
        self._saved_at = model.num_timesteps
        if self.verbose:
            print(f"checkpoint: {path}")
        return path
