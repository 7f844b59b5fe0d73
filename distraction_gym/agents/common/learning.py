"""Whether a model is learning just now, or somebody else asks it to act."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distraction_gym.agents.common.visual_sac import VisualSAC


class KnowsLearning(VisualSAC):
    """The loop, and `self._learns`: True in updates and where actions for the replay are drawn.

    `predict` and `explain`, called by anyone else, find it False. So does another thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._learning_in: set[int] = set()  # threads
        super().__init__(*args, **kwargs)

    @property
    def _learns(self) -> bool:
        return threading.get_ident() in self._learning_in

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update as `VisualSAC` does."""
        with self._learning():
            super().train(gradient_steps, batch_size)

    def _sample_action(self, *args: Any, **kwargs: Any) -> Any:
        with self._learning():
            return super()._sample_action(*args, **kwargs)

    @contextmanager
    def _learning(self) -> Iterator[None]:
        self._learning_in.add(threading.get_ident())
        try:
            yield
        finally:
            self._learning_in.discard(threading.get_ident())

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_learning_in"]
