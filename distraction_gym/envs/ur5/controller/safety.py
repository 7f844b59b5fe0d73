"""Power, safety mode and state of the program, as the controller reports them."""

from __future__ import annotations

from enum import IntEnum


class RobotMode(IntEnum):
    """`robot_mode`."""

    POWER_OFF = 3
    IDLE = 5
    RUNNING = 7


class SafetyMode(IntEnum):
    """`safety_mode`."""

    NORMAL = 1
    REDUCED = 2
    PROTECTIVE_STOP = 3
    RECOVERY = 4
    SAFEGUARD_STOP = 5
    SYSTEM_EMERGENCY_STOP = 6
    ROBOT_EMERGENCY_STOP = 7
    VIOLATION = 8
    FAULT = 9


class Runtime(IntEnum):
    """`runtime_state`; the client judges by nothing else whether its program runs."""

    STOPPING = 0
    STOPPED = 1
    PLAYING = 2
    PAUSING = 3
    PAUSED = 4
    RESUMING = 5


_STOPPED_DUE_TO_SAFETY = 1 << 10
_EMERGENCY_STOPPED = 1 << 7
_STATUS_BITS = {
    SafetyMode.NORMAL: 1 << 0,
    SafetyMode.REDUCED: 1 << 1,
    SafetyMode.PROTECTIVE_STOP: 1 << 2 | _STOPPED_DUE_TO_SAFETY,
    SafetyMode.ROBOT_EMERGENCY_STOP: 1 << 6 | _EMERGENCY_STOPPED | _STOPPED_DUE_TO_SAFETY,
}
UNLOCK_AFTER = 5.0
"""Seconds for which the controller refuses to unlock a protective stop."""


class Safety:
    """Which stops are active, and whether the arm has power. Simulated: it protects nobody."""

    def __init__(self) -> None:
        self.mode = SafetyMode.NORMAL
        self.robot = RobotMode.RUNNING
        self._stopped_at = 0.0

    @property
    def may_move(self) -> bool:
        """Whether the arm has power, free brakes and no stop."""
        return self.robot == RobotMode.RUNNING and self.mode <= SafetyMode.REDUCED

    @property
    def status_bits(self) -> int:
        """`safety_status_bits`."""
        return _STATUS_BITS[self.mode]

    def protective_stop(self, now: float) -> bool:
        """Stop; return False where a stop is active or the arm has no power."""
        if not self.may_move:
            return False
        self.mode, self._stopped_at = SafetyMode.PROTECTIVE_STOP, now
        return True

    def unlock(self, now: float) -> bool:
        """Release a protective stop; return False where there is none, or it is too young."""
        if self.mode != SafetyMode.PROTECTIVE_STOP or now - self._stopped_at < UNLOCK_AFTER:
            return False
        self.mode = SafetyMode.NORMAL
        return True

    def emergency_stop(self) -> None:
        """Stop and take the power away."""
        self.mode, self.robot = SafetyMode.ROBOT_EMERGENCY_STOP, RobotMode.POWER_OFF

    def release_emergency_stop(self) -> bool:
        """Pull the button out again. The power stays off; False where it was not pressed."""
        if self.mode != SafetyMode.ROBOT_EMERGENCY_STOP:
            return False
        self.mode = SafetyMode.NORMAL
        return True

    def power_off(self) -> None:
        """Take the power away."""
        self.robot = RobotMode.POWER_OFF

    def power_on(self) -> bool:
        """Give power; the brakes stay on. False during an emergency stop."""
        if self.mode == SafetyMode.ROBOT_EMERGENCY_STOP:
            return False
        if self.robot == RobotMode.POWER_OFF:
            self.robot = RobotMode.IDLE
        return True

    def release_brakes(self) -> bool:
        """Power on if need be and release the brakes. False during an emergency stop."""
        if not self.power_on():
            return False
        self.robot = RobotMode.RUNNING
        return True
