"""How the task can be done: go where the disc is in the middle and near, from the true state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5.kinematics import Arm, forward, jacobian
from distraction_gym.envs.ur5.task import MOVED, Limits

_GAIN = 2.5  # of what is left, how much to cover per second
_DAMPING = 0.05
_INSET = 0.01  # metres to keep from the box's faces


class Servo:
    """Leads the flange to the place in its box that is straight before the disc and nearest.

    Args:
        arm: The arm's lengths.
        limits: Where it may be, and how fast.
    """

    def __init__(self, arm: Arm, limits: Limits) -> None:
        self._arm, self._limits = arm, limits

    def action(
        self, q: npt.NDArray[np.float64], disc: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        """Return five numbers in [-1, 1].

        Args:
            q: Six joint angles.
            disc: Where the disc is, `(3,)`, in the base's frame.
        """
        flange = forward(self._arm, q)
        low = np.array(self._limits.box_low) + _INSET
        place = np.clip(disc, low, np.array(self._limits.box_high) - _INSET)
        look = (disc - flange[:3, 3]) / np.linalg.norm(disc - flange[:3, 3])
        turn = np.cross(flange[:3, 2], look)  # about the line of sight it may turn as it likes
        wanted = _GAIN * np.append(place - flange[:3, 3], 0.3 * turn)
        moves = jacobian(self._arm, q)[:, :MOVED] * np.array([1, 1, 1, 0.3, 0.3, 0.3])[:, None]
        speeds = np.linalg.solve(moves.T @ moves + _DAMPING**2 * np.eye(MOVED), moves.T @ wanted)
        return np.clip(speeds / self._limits.speed, -1.0, 1.0).astype(np.float32)
