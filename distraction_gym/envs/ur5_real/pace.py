"""Control at a fixed rate: absolute deadlines, and how well they were kept."""

from __future__ import annotations

import time
import warnings
from collections import deque

WINDOW = 50
"""Steps over which the rate is judged."""
_TOO_MANY = 0.1  # of them may miss their deadline


class Pace:
    """Waits for the end of each control step, and measures.

    Args:
        period: Seconds of a step.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._recent: deque[tuple[float, bool]] = deque(maxlen=WINDOW)
        self._warned = False
        self.restart()

    def restart(self) -> None:
        """Begin anew with the next step: a pause between episodes is no delay."""
        self._due: float | None = None
        self._missed = 0

    def begin(self) -> dict[str, float]:
        """Note that a command was sent.

        Returns:
            For `info`: `control_period`, seconds since the command before; `jitter`, by how much
            that differs from the period; `missed_deadlines`, how many commands of the episode came
            a whole period late. After one of these the deadlines begin anew.
        """
        now = time.monotonic()
        if self._due is None:
            self._due = self._sent = now
            passed = self._period
        else:
            passed = now - self._sent
        self._sent = now
        self._due += self._period
        is_late = now > self._due
        if is_late:
            self._missed += 1
            self._due = now + self._period
        self._judge(passed, is_late)
        return {
            "control_period": passed,
            "jitter": abs(passed - self._period),
            "missed_deadlines": self._missed,
        }

    def wait(self) -> None:
        """Wait until the step's deadline."""
        assert self._due is not None
        time.sleep(max(0.0, self._due - time.monotonic()))

    def _judge(self, passed: float, is_late: bool) -> None:
        self._recent.append((passed, is_late))
        late = sum(is_late for _, is_late in self._recent)
        if self._warned or len(self._recent) < WINDOW or late <= _TOO_MANY * WINDOW:
            return
        self._warned = True
        rate = WINDOW / sum(passed for passed, _ in self._recent)
        warnings.warn(
            f"the control loop cannot hold {1 / self._period:g} steps per second: {late} of the "
            f"last {WINDOW} commands came a whole step late, at {rate:.1f} per second. Let the "
            "agent learn in a thread of its own (asynchronous=True), or make it smaller",
            stacklevel=4,
        )
