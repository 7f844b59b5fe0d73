"""Ways to move: each makes, cycle by cycle, the next set-point of the joints.

Profiles are trapezoids of speed. How a real UR rounds them is not published.
"""

from __future__ import annotations

import math

import numpy as np

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.kinematics import Arm, Matrix, Vector

STILL = 1e-9
"""rad/s below which a joint stands."""
SERVO_LAG = 0.03
"""Seconds of the first-order response to a servo target. A stand-in: the law of a real arm with its
gain and look-ahead is not public, so do not tune gains on it."""
SERVO_ACCELERATION = 40.0
"""rad/s2, also the largest that the client lets through."""


class CannotGo(Exception):
    """A motion that has no next set-point: no joints reach the pose, or the arm is singular."""


class Motion:
    """A way to move. It goes on until it is replaced, or is `finished`."""

    finished = False

    def step(self, q: Vector, qd: Vector, dt: float, fraction: float) -> Vector:
        """Return the next joint angles.

        Args:
            q: The present set-point.
            qd: Its speed, rad/s.
            dt: Seconds of a cycle.
            fraction: Of the speed slider. Only moves heed it here.

        Raises:
            CannotGo: where there are none.
        """
        raise NotImplementedError

    def resume(self) -> None:
        """Go on after a pause in which the arm came to a stop."""


class JointSpeed(Motion):
    """speedj, and with a target of zero stopj: to a speed with bounded acceleration."""

    def __init__(self, target: Vector, acceleration: float) -> None:
        self.target, self.acceleration = target, acceleration

    def step(self, q: Vector, qd: Vector, dt: float, fraction: float) -> Vector:
        """See `Motion`."""
        speed = approach(qd, self.target, self.acceleration * dt)
        self.finished = not self.target.any() and bool(np.abs(speed).max() < STILL)
        return q + speed * dt


class ToolSpeed(Motion):
    """speedl: the tool's linear and angular velocity in the base, with bounded acceleration."""

    def __init__(self, arm: Arm, tool: Matrix, target: Vector, acceleration: float) -> None:
        self.arm, self.tool = arm, tool
        self.target, self.acceleration = target, acceleration

    def step(self, q: Vector, qd: Vector, dt: float, fraction: float) -> Vector:
        """See `Motion`."""
        jacobian = kinematics.jacobian(self.arm, q, self.tool)
        velocity = approach(jacobian @ qd, self.target, self.acceleration * dt)
        try:
            return q + np.linalg.solve(jacobian, velocity) * dt
        except np.linalg.LinAlgError as error:
            raise CannotGo("the arm is singular") from error


class Servo(Motion):
    """servoj: after a target that may change every cycle."""

    def __init__(self, arm: Arm, target: Vector) -> None:
        self.arm, self.target = arm, target

    def step(self, q: Vector, qd: Vector, dt: float, fraction: float) -> Vector:
        """See `Motion`."""
        error = self.target - q
        brake = np.sqrt(1.6 * SERVO_ACCELERATION * np.abs(error))  # can still stop at the target
        most = np.minimum(brake, self.arm.speed_limit)
        wanted = np.clip(error / max(SERVO_LAG, dt), -most, most)
        change = np.clip(wanted - qd, -SERVO_ACCELERATION * dt, SERVO_ACCELERATION * dt)
        return q + (qd + change) * dt


class Move(Motion):
    """A way from standing to standing. An arm that moves at its start stops first."""

    def __init__(self, speed: float, acceleration: float) -> None:
        self.speed, self.acceleration = speed, acceleration
        self._profile: Trapezoid | None = None
        self._clock = 0.0

    def resume(self) -> None:
        """See `Motion`."""
        self._profile = None

    def step(self, q: Vector, qd: Vector, dt: float, fraction: float) -> Vector:
        """See `Motion`."""
        if self._profile is None:
            if np.abs(qd).max() > STILL:
                return q + approach(qd, np.zeros(6), self.acceleration * dt) * dt
            self._profile = Trapezoid(self._begin(q), self.speed, self.acceleration)
            self._clock = 0.0
        self._clock += dt * fraction
        self.finished = self._clock >= self._profile.duration
        return self._at(1.0 if self.finished else self._profile.part(self._clock), q)

    def _begin(self, q: Vector) -> float:
        """Start at `q`; return how far the way is, in the unit of the speed."""
        raise NotImplementedError

    def _at(self, part: float, q: Vector) -> Vector:
        raise NotImplementedError


class JointMove(Move):
    """movej: the joint with the longest way keeps to speed and acceleration, all arrive at once."""

    def __init__(self, target: Vector, speed: float, acceleration: float) -> None:
        super().__init__(speed, acceleration)
        self.target = target

    def _begin(self, q: Vector) -> float:
        self._start = q
        return float(np.abs(self.target - q).max())

    def _at(self, part: float, q: Vector) -> Vector:
        return self.target if part == 1 else self._start + part * (self.target - self._start)


class LineMove(Move):
    """movel: the tool along a straight line, turning evenly."""

    def __init__(
        self, arm: Arm, tool: Matrix, goal: Matrix, speed: float, acceleration: float
    ) -> None:
        super().__init__(speed, acceleration)
        self.arm, self.goal = arm, goal
        self._tool, self._flange = tool, np.linalg.inv(tool)

    def _begin(self, q: Vector) -> float:
        self._start = kinematics.forward(self.arm, q) @ self._tool
        self._turn = kinematics.rotation_vector(self.goal[:3, :3] @ self._start[:3, :3].T)
        way = float(np.linalg.norm(self.goal[:3, 3] - self._start[:3, 3]))
        return max(way, float(np.linalg.norm(self._turn)))

    def _at(self, part: float, q: Vector) -> Vector:
        frame = self.goal.copy()
        if part < 1:
            frame[:3, :3] = kinematics.rotation(part * self._turn) @ self._start[:3, :3]
            frame[:3, 3] = (1 - part) * self._start[:3, 3] + part * self.goal[:3, 3]
        found = kinematics.nearest(self.arm, frame @ self._flange, q)
        if found is None:
            raise CannotGo("no inverse kinematics on the line")
        return found


class Trapezoid:
    """How far along a way one is, with a bounded speed and acceleration."""

    def __init__(self, way: float, speed: float, acceleration: float) -> None:
        self._speed = min(speed, math.sqrt(way * acceleration))
        self._ramp = self._speed / acceleration
        self._way, self._acceleration = way, acceleration
        self.duration = self._ramp + way / self._speed if way > 0 else 0.0
        """Seconds."""

    def part(self, t: float) -> float:
        """Return which part of the way, 0 to 1, is done after `t` seconds."""
        if t < self._ramp:
            return self._acceleration * t * t / 2 / self._way
        left = self.duration - t
        if left < self._ramp:
            return 1 - self._acceleration * left * left / 2 / self._way
        return self._speed * (t - self._ramp / 2) / self._way


def approach(value: Vector, target: Vector, step: float) -> Vector:
    """Return `value` changed towards `target`, no component by more than `step`.

    All change in proportion, so a stopping arm stays on its way.
    """
    change = target - value
    most = float(np.abs(change).max())
    return target if most <= step else value + change * (step / most)
