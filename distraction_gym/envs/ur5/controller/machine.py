"""The controller without its sockets: arm, stops, program and registers, cycle by cycle."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller import variables
from distraction_gym.envs.ur5.controller.arm import Body, SimulatedArm, Violation
from distraction_gym.envs.ur5.controller.commands import ProgramDied
from distraction_gym.envs.ur5.controller.motions import CannotGo
from distraction_gym.envs.ur5.controller.program import Program
from distraction_gym.envs.ur5.controller.registers import Registers
from distraction_gym.envs.ur5.controller.safety import RobotMode, Runtime, Safety
from distraction_gym.envs.ur5.controller.variables import Version

HOME = (0.0, -np.pi / 2, np.pi / 2, -np.pi / 2, -np.pi / 2, 0.0)
"""Joints at the start, rad."""
START_UP = 0.05
"""Seconds from the upload of a program to its start."""
_KEPT_EVENTS = 200


class Machine:
    """A controller and its arm. Nothing happens but in `cycle`.

    Args:
        kind: The arm.
        version: Of the controller: `Version.parse("5.11.1")`.
        q: Joints at the start, rad.
        body: What follows the set-points; None: a lag of the first order.
    """

    def __init__(
        self,
        kind: kinematics.Arm,
        version: Version,
        q: npt.ArrayLike = HOME,
        body: Body | None = None,
    ) -> None:
        self.version, self.dt = version, version.cycle
        self.arm = SimulatedArm(kind, q, body)
        self.registers, self.safety = Registers(), Safety()
        self.tool = np.eye(4)
        """The tool's centre in the flange."""
        self.payload: tuple[float, list[float]] = (0.0, [0.0, 0.0, 0.0])
        self.speed_fraction = 1.0
        """Of the speed slider."""
        self.remote = True
        """Whether it takes orders from the network."""
        self.runtime = Runtime.STOPPED
        self.program: Program | None = None
        self.counts: Counter[str] = Counter()
        """What happened how often: uploads, bad frames, packets dropped, cycles lost ..."""
        self.events: deque[tuple[float, str]] = deque(maxlen=_KEPT_EVENTS)
        """Seconds of the controller's clock, and what happened."""
        self._cycles = 0
        self._begins = 0.0

    @property
    def time(self) -> float:
        """Seconds of the controller's clock; `timestamp`."""
        return self._cycles * self.dt

    def cycle(self) -> None:
        """Go on by one control cycle."""
        self._cycles += 1
        self._heed_slider()
        try:
            if self.runtime == Runtime.PLAYING and self.program is not None:
                self.program.cycle()
            elif self.program is not None and self.runtime == Runtime.STOPPED:
                self._begin()
            self.arm.step(self.dt, self.speed_fraction)
        except (ProgramDied, CannotGo) as error:
            self.end_program(str(error))
        except Violation as error:
            self.protective_stop(str(error))

    def note(self, event: str) -> None:
        """Keep what happened, with its time."""
        self.events.append((round(self.time, 4), event))

    def upload(self, offset: int | None) -> None:
        """Take a program from the network: the control program, by its register offset, or None.

        It replaces one that runs. Without power and during a stop it is refused, not kept for
        later: the arm would start to move on the release.
        """
        self.counts["uploads"] += 1
        if offset is None:
            self.note("refused a script that is not ur-rtde's control program")
        elif not self.safety.may_move:
            self.note("refused a program: no power, or a stop is active")
        else:
            if self.runtime != Runtime.STOPPED:
                self.end_program("another one was uploaded")
            self.program = Program(self, offset)
            self._begins = self.time + START_UP

    def end_program(self, reason: str) -> None:
        """End the program; the arm brakes."""
        if self.program is not None:
            self.note(f"program ended: {reason}")
        self.program, self.runtime = None, Runtime.STOPPED
        self.arm.motion = None
        self.arm.resume()

    def pause(self) -> bool:
        """Pause the program; False where none runs."""
        if self.runtime != Runtime.PLAYING:
            return False
        self.runtime = Runtime.PAUSED
        self.arm.hold()
        return True

    def play(self) -> bool:
        """Go on with a paused program; False where there is none, or a stop is active."""
        if self.runtime != Runtime.PAUSED or not self.safety.may_move:
            return False
        self.runtime = Runtime.PLAYING
        self.arm.resume()
        return True

    def protective_stop(self, reason: str) -> None:
        """Stop the arm and pause the program."""
        if self.safety.protective_stop(self.time):
            self.note(f"protective stop: {reason}")
            self.pause()

    def unlock(self) -> bool:
        """Release a protective stop; the program goes on with what it did."""
        if not self.safety.unlock(self.time):
            return False
        self.note("protective stop released")
        self.play()
        return True

    def emergency_stop(self) -> None:
        """Press the button."""
        self.note("emergency stop")
        self.safety.emergency_stop()
        self.end_program("emergency stop")

    def power_off(self) -> None:
        """Take the power away."""
        self.note("power off")
        self.safety.power_off()
        self.end_program("power off")

    @property
    def status_bits(self) -> int:
        """`robot_status_bits`."""
        power = self.safety.robot in (RobotMode.IDLE, RobotMode.RUNNING)
        return power << 0 | (self.runtime == Runtime.PLAYING) << 1

    def state(self) -> dict[str, Any]:
        """Return what a test wants to know, in types of JSON."""
        inputs = self.registers.inputs
        return {
            "time": self.time,
            "q": self.arm.actual_q.tolist(),
            "qd": self.arm.actual_qd.tolist(),
            "standing": self.arm.standing,
            "robot_mode": int(self.safety.robot),
            "safety_mode": int(self.safety.mode),
            "runtime_state": int(self.runtime),
            "remote": self.remote,
            "speed_fraction": self.speed_fraction,
            "command": inputs["input_int_register_0"] or inputs["input_int_register_24"],
            "arm": self.arm.kind.name,
            "version": ".".join(map(str, self.version[:3])),
            "counts": dict(self.counts),
            "events": list(self.events),
        }

    def variables(self) -> dict[str, str]:
        """Return names and types of the outputs that this version has."""
        return variables.outputs(self.version)

    def _begin(self) -> None:
        if self.time >= self._begins:
            self.runtime = Runtime.PLAYING
            self.note("program started")

    def _heed_slider(self) -> None:
        inputs = self.registers.inputs
        if inputs["speed_slider_mask"]:
            fraction = float(inputs["speed_slider_fraction"])  # type: ignore[arg-type]
            self.speed_fraction = min(1.0, max(0.0, fraction))
