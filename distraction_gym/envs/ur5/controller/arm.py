"""The simulated arm: set-points with limits, and joints that follow them."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5.controller.motions import STILL, CannotGo, Motion
from distraction_gym.envs.ur5.kinematics import Arm, Vector

STOP_DECELERATION = np.array([12.9, 5.9, 19.2, 19.2, 19.2, 19.2])
"""rad/s2 of a stop by the controller: full speed in the stopping times of the UR5's manual
(category 0, at full speed, reach and load: 244, 530 and 164 ms for the first three joints)."""
ROUNDING = 1e-3
"""By which part a set-point may be faster than the limit."""


class Violation(Exception):
    """A set-point beyond the limits of the joints."""


class Body(Protocol):
    """What follows the set-points: a simple lag here, or the dynamics of a physics engine."""

    tolerance: float
    """rad by which its joints may be off where they have arrived."""

    def reset(self, q: Vector) -> None:
        """Stand at these joints."""

    def step(self, q: Vector, qd: Vector, dt: float) -> tuple[Vector, Vector]:
        """Follow a set-point for one cycle; return the joints and their speeds."""


class FirstOrder:
    """Joints that follow with a lag of the first order."""

    LAG = 0.008
    """Seconds."""
    tolerance = 1e-6

    def reset(self, q: Vector) -> None:
        """See `Body`."""
        self._q = q.copy()

    def step(self, q: Vector, qd: Vector, dt: float) -> tuple[Vector, Vector]:
        """See `Body`."""
        before = self._q
        self._q = q + (before - q) * math.exp(-dt / self.LAG)
        return self._q, (self._q - before) / dt


class SimulatedArm:
    """Where the arm is, where it should be, and how it is getting there."""

    def __init__(self, kind: Arm, q: npt.ArrayLike, body: Body | None = None) -> None:
        self.kind = kind
        self.body: Body = FirstOrder() if body is None else body
        self.q = np.array(q, float)
        """Set-point of the joints, rad."""
        self.qd, self.qdd = np.zeros(6), np.zeros(6)
        self.actual_q, self.actual_qd = self.q.copy(), np.zeros(6)
        self.motion: Motion | None = None
        """What it does; None: stop and stand."""
        self._held = False
        self.body.reset(self.q)

    @property
    def standing(self) -> bool:
        """Whether set-point and joints have come to rest in one place."""
        settled = np.abs(self.actual_q - self.q).max() < self.body.tolerance
        return bool(settled and np.abs(self.qd).max() < STILL)

    def hold(self) -> None:
        """Stop, and keep what it was doing."""
        self._held = True

    def resume(self) -> None:
        """Go on with what it was doing."""
        self._held = False
        if self.motion is not None:
            self.motion.resume()

    def step(self, dt: float, fraction: float = 1.0) -> None:
        """Move for one cycle.

        Raises:
            Violation: where the next set-point is beyond a limit. The arm brakes instead.
            CannotGo: where there is none. The arm brakes instead.
        """
        trouble: Exception | None = None
        q = self._braking(dt)
        if self.motion is not None and not self._held:
            try:
                q = self._checked(self.motion.step(self.q, self.qd, dt, fraction), dt)
            except (Violation, CannotGo) as error:
                trouble = error
        qd = (q - self.q) / dt
        self.q, self.qd, self.qdd = q, qd, (qd - self.qd) / dt
        self.actual_q, self.actual_qd = self.body.step(self.q, self.qd, dt)
        if trouble is not None:
            raise trouble

    def within_limits(self, q: Vector) -> bool:
        """Whether joint angles are within the arm's range."""
        return bool((np.abs(q) <= self.kind.joint_limits).all())

    def _braking(self, dt: float) -> Vector:
        step = STOP_DECELERATION * dt
        return self.q + np.sign(self.qd) * np.maximum(np.abs(self.qd) - step, 0) * dt

    def _checked(self, q: Vector, dt: float) -> Vector:
        speed = np.abs(q - self.q) / dt
        fast = speed > self.kind.speed_limit * (1 + ROUNDING)
        if fast.any():
            joint = int(np.argmax(speed))
            raise Violation(
                f"joint {joint} at {speed[joint]:.2f} rad/s; the limit is "
                f"{self.kind.speed_limit:.2f}"
            )
        limits = np.array(self.kind.joint_limits)
        outside = (np.abs(q) > limits) & (np.abs(q) > np.abs(self.q))  # it may come back
        if outside.any():
            joint = int(np.argmax(outside))
            raise Violation(
                f"joint {joint} at {q[joint]:.3f} rad; the limit is {limits[joint]:.3f} either way"
            )
        return q
