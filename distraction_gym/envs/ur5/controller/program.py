"""ur-rtde's control program, played from its registers: no URScript is interpreted.

Once in a cycle the program reads input integer 0. A *real-time* command is carried out every cycle
while it stands; any other once, "done" is published at its end, and no other is looked at before
the register was 0. Register, numbers and rules are those of the program that ur-rtde 1.6 uploads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from distraction_gym.envs.ur5.controller import commands
from distraction_gym.envs.ur5.controller.commands import ProgramDied
from distraction_gym.envs.ur5.controller.motions import JointSpeed, Motion, Move
from distraction_gym.envs.ur5.kinematics import Vector

if TYPE_CHECKING:
    from distraction_gym.envs.ur5.controller.machine import Machine

Motions = tuple[type[Motion], ...]

READY, DONE = 1, 2
STOP_SCRIPT = 255
_COUNTS = 128  # of the counters in the word of progress


class Program:
    """A running control program.

    Args:
        machine: The controller that runs it.
        offset: What it adds to the numbers of registers: 0, or 24 for the upper range.
    """

    def __init__(self, machine: Machine, offset: int) -> None:
        self.machine, self.offset = machine, offset
        self.watchdog: float | None = None
        """Seconds within which input integer 0 must be written."""
        self._carried_out = False  # the command that stands
        self._waiting: Callable[[], bool] | None = None
        self._asynchronous: Motion | None = None
        self._operation = self._changes = 0
        self._publish_progress(running=False)
        self.write_int(0, READY)

    def cycle(self) -> None:
        """Do what the program does in one cycle of the controller.

        Raises:
            ProgramDied: at its end, whatever the reason.
        """
        self._check_watchdog()
        if self._waiting is not None:
            if self._waiting():
                self._waiting = None
                self.write_int(0, DONE)
            return
        if self._asynchronous is not None and self._arrived(self._asynchronous):
            self.machine.arm.motion = None
            self._finish_asynchronous()
        self._obey(self.integer(0))

    def integer(self, number: int) -> int:
        """Return an input integer."""
        value = self.machine.registers.inputs[f"input_int_register_{number + self.offset}"]
        return int(value)  # type: ignore[arg-type]

    def doubles(self, first: int, count: int = 6) -> Vector:
        """Return input doubles.

        Raises:
            ProgramDied: for one that is not finite; nobody before the arm checks that.
        """
        inputs = self.machine.registers.inputs
        numbers = range(first + self.offset, first + self.offset + count)
        values = np.array([inputs[f"input_double_register_{number}"] for number in numbers], float)
        if not np.isfinite(values).all():
            raise ProgramDied(f"command {self.integer(0)} came with {values.tolist()}: not finite")
        return values

    def write_int(self, number: int, value: int) -> None:
        """Publish an output integer."""
        self.machine.registers.outputs[f"output_int_register_{number + self.offset}"] = value

    def write_doubles(self, values: Vector) -> None:
        """Publish output doubles, from 0 on."""
        for number, value in enumerate(values.tolist(), self.offset):
            self.machine.registers.outputs[f"output_double_register_{number}"] = value

    def drive(self, motion: Motion, thread: Motions) -> None:
        """Let a thread of the program (of speed, of servo) drive the arm, or change its target.

        Raises:
            ProgramDied: where another thread, or a move, drives it: two cannot.
        """
        current = self.machine.arm.motion
        own = isinstance(current, thread) and current is not self._asynchronous
        if current is not None and not own:
            raise _conflict(motion, current)
        self.machine.arm.motion = motion

    def release(self, thread: Motions, deceleration: float) -> None:
        """End a thread that drives the arm, and wait until it stands."""
        if isinstance(self.machine.arm.motion, thread):
            self.stop(deceleration, asynchronous=False)

    def move(self, move: Move, asynchronous: bool) -> None:
        """Move, and wait for the end or not.

        Raises:
            ProgramDied: where a thread drives the arm, or for a speed of zero.
        """
        if move.speed <= 0 or move.acceleration <= 0:
            raise ProgramDied("a move needs a speed and an acceleration above zero")
        current = self.machine.arm.motion
        if current is not None and current is not self._asynchronous:
            raise _conflict(move, current)
        self._go(move, asynchronous)

    def stop(self, deceleration: float, asynchronous: bool) -> None:
        """Stop whatever moves, and wait for the end or not."""
        if deceleration <= 0:
            raise ProgramDied("a stop needs a deceleration above zero")
        self._go(JointSpeed(np.zeros(6), deceleration), asynchronous)

    def _go(self, motion: Motion, asynchronous: bool) -> None:
        if self._asynchronous is not None:  # who waits for it would wait for ever
            self._finish_asynchronous()
        self.machine.arm.motion = motion
        if asynchronous:
            self._asynchronous = motion
            self._operation = (self._operation + 1) % _COUNTS
            self._publish_progress(running=True)
        else:
            self._waiting = lambda: self._arrived(motion, forget=True)

    def _arrived(self, motion: Motion, forget: bool = False) -> bool:
        arm = self.machine.arm
        there = motion.finished and arm.standing
        if there and forget:
            arm.motion = None
        return there

    def _finish_asynchronous(self) -> None:
        self._asynchronous = None
        self._publish_progress(running=False)

    def _publish_progress(self, running: bool) -> None:
        """Bits: 0-14 progress, 15 running, 16-22 count of changes, 24-30 number of operation."""
        self._changes = (self._changes + 1) % _COUNTS
        self.write_int(2, running << 15 | self._changes << 16 | self._operation << 24)

    def _obey(self, command: int) -> None:
        if command == 0:
            self._carried_out = False
            self.write_int(0, READY)
        elif command == STOP_SCRIPT:
            raise ProgramDied("the client stopped it")
        elif command in commands.REAL_TIME:
            commands.REAL_TIME[command](self)
            self.write_int(0, READY)
        elif not self._carried_out:
            self._carried_out = True
            if command not in commands.ONCE:
                raise ProgramDied(f"command {command} is not simulated")
            commands.ONCE[command](self)
            if self._waiting is None:
                self.write_int(0, DONE)

    def _check_watchdog(self) -> None:
        if self.watchdog is None:
            return
        fed = self.machine.registers.written(f"input_int_register_{self.offset}")
        if self.machine.time - fed > self.watchdog:
            raise ProgramDied(f"its watchdog was not fed for {self.machine.time - fed:.3f} s")


def _conflict(motion: Motion, current: Motion) -> ProgramDied:
    names = (type(motion).__name__, type(current).__name__)
    return ProgramDied("{} while {} drives the arm".format(*names))
