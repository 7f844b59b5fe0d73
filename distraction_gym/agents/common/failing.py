"""What is left of a run that is cut short in the middle of a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm


class FailureMixin(OffPolicyAlgorithm):
    """An algorithm that outlives an environment's error, or a callback that stops it.

    Either way the step is not stored, and the next `learn` begins a new episode.
    """

    keep_last_good: Callable[[], Path | None] | None = None
    """Writes a checkpoint and returns its path; `ResumableCheckpoint` sets it."""

    def collect_rollouts(self, *args: Any, **kwargs: Any) -> Any:
        """Collect as Stable-Baselines3 does; where the environment fails, keep a checkpoint."""
        try:
            collected = super().collect_rollouts(*args, **kwargs)
        except Exception:
            self._last_obs = None  # first: a run resumed from the checkpoint begins anew as well
            if self.keep_last_good is not None:
                self.keep_last_good()
            raise
        if not collected.continue_training:
            self._last_obs = None
        return collected

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "keep_last_good"]
