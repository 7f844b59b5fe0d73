"""The commands of ur-rtde's control program, by number.

A command reads its arguments from the input registers from 0 on, and writes its result to the
outputs. `REAL_TIME` ones are carried out in every cycle in which they stand, `ONCE` the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller.motions import (
    JointMove,
    JointSpeed,
    LineMove,
    Servo,
    ToolSpeed,
)
from distraction_gym.envs.ur5.kinematics import Matrix, Vector

if TYPE_CHECKING:
    from distraction_gym.envs.ur5.controller.program import Program

    Command = Callable[[Program], None]


# One thread of the program does both speeds, another both servos.
_SPEED = (JointSpeed, ToolSpeed)
_SERVO = (Servo,)


class ProgramDied(Exception):
    """Why the program came to its end."""


def _move_joints(program: Program) -> None:
    q, (speed, acceleration) = program.doubles(0), program.doubles(6, 2)
    program.move(JointMove(q, speed, acceleration), asynchronous=program.integer(1) == 1)


def _move_joints_to_pose(program: Program) -> None:
    q = _reach(program, kinematics.matrix(program.doubles(0)))
    speed, acceleration = program.doubles(6, 2)
    program.move(JointMove(q, speed, acceleration), asynchronous=program.integer(1) == 1)


def _move_line(program: Program) -> None:
    _line(program, kinematics.matrix(program.doubles(0)))


def _move_line_to_joints(program: Program) -> None:
    _line(program, _tool_at(program, program.doubles(0)))


def _line(program: Program, goal: Matrix) -> None:
    machine = program.machine
    _reach(program, goal)  # a goal out of reach ends the program before the arm has moved
    speed, acceleration = program.doubles(6, 2)
    move = LineMove(machine.arm.kind, machine.tool, goal, speed, acceleration)
    program.move(move, asynchronous=program.integer(1) == 1)


def _speed_joints(program: Program) -> None:
    program.drive(JointSpeed(program.doubles(0), program.doubles(6, 1)[0]), _SPEED)


def _speed_tool(program: Program) -> None:
    _drive_tool(program, program.doubles(0), program.doubles(6, 1)[0])


def _drive_tool(program: Program, velocity: Vector, acceleration: float) -> None:
    machine = program.machine
    motion = ToolSpeed(machine.arm.kind, machine.tool, velocity, acceleration)
    program.drive(motion, _SPEED)


def _servo_joints(program: Program) -> None:
    program.drive(Servo(program.machine.arm.kind, program.doubles(0)), _SERVO)


def _servo_tool(program: Program) -> None:
    q = _reach(program, kinematics.matrix(program.doubles(0)))
    program.drive(Servo(program.machine.arm.kind, q), _SERVO)


def _speed_stop(program: Program) -> None:
    program.release(_SPEED, program.doubles(0, 1)[0])


def _servo_stop(program: Program) -> None:
    program.release(_SERVO, program.doubles(0, 1)[0])


def _stop(program: Program) -> None:
    program.stop(program.doubles(0, 1)[0], asynchronous=program.integer(1) == 1)


def _jog(program: Program) -> None:
    velocity, (feature, acceleration) = program.doubles(0), program.doubles(6, 2)
    frames = {
        0: np.eye(4),
        1: _tool_at(program, program.machine.arm.q),
        2: kinematics.matrix(program.doubles(8)),
    }
    if feature not in frames:
        raise ProgramDied(f"jog knows the features 0 to 2, not {feature:g}")
    turn = frames[int(feature)][:3, :3]
    turned = np.concatenate([turn @ velocity[:3], turn @ velocity[3:]])
    _drive_tool(program, turned, acceleration)


def _stop_jog(program: Program) -> None:
    program.release(_SPEED, 1.2)  # what the program itself brakes with


def _set_payload(program: Program) -> None:
    mass, *centre = program.doubles(0, 4).tolist()
    program.machine.payload = (mass, centre)


def _set_tool(program: Program) -> None:
    program.machine.tool = kinematics.matrix(program.doubles(0))


def _set_watchdog(program: Program) -> None:
    frequency = program.doubles(0, 1)[0]
    program.watchdog = 1 / frequency if frequency > 0 else None


def _protective_stop(program: Program) -> None:
    program.machine.protective_stop("the program asked for it")


def _tool_offset(program: Program) -> None:
    program.write_doubles(kinematics.pose(program.machine.tool))


def _flange(program: Program) -> None:
    arm = program.machine.arm
    program.write_doubles(kinematics.pose(kinematics.forward(arm.kind, arm.actual_q)))


def _tool_now(program: Program) -> None:
    program.write_doubles(kinematics.pose(_tool_at(program, program.machine.arm.q)))


def _tool_of_joints(program: Program) -> None:
    q, tool = program.doubles(0), program.doubles(6)
    frame = kinematics.forward(program.machine.arm.kind, q) @ kinematics.matrix(tool)
    program.write_doubles(kinematics.pose(frame))


def _inverse(program: Program) -> None:
    program.write_doubles(_reach(program, kinematics.matrix(program.doubles(0))))


def _inverse_near(program: Program) -> None:
    goal = kinematics.matrix(program.doubles(0))
    program.write_doubles(_reach(program, goal, near=program.doubles(6)))


def _has_inverse(program: Program) -> None:
    goal = kinematics.matrix(program.doubles(0))
    program.write_int(1, _joints_for(program, goal, program.machine.arm.q) is not None)


def _has_inverse_near(program: Program) -> None:
    goal = kinematics.matrix(program.doubles(0))
    program.write_int(1, _joints_for(program, goal, program.doubles(6)) is not None)


def _joints_within_limits(program: Program) -> None:
    program.write_int(1, program.machine.arm.within_limits(program.doubles(0)))


def _compose_poses(program: Program) -> None:
    first, second = program.doubles(0), program.doubles(6)
    program.write_doubles(kinematics.pose(kinematics.matrix(first) @ kinematics.matrix(second)))


def _steady(program: Program) -> None:
    program.write_int(1, program.machine.arm.standing)


def _step_time(program: Program) -> None:
    program.write_doubles(np.array([program.machine.dt]))


def _torques(program: Program) -> None:
    program.write_doubles(np.zeros(6))  # no dynamics here


def _tool_at(program: Program, q: Vector) -> Matrix:
    return kinematics.forward(program.machine.arm.kind, q) @ program.machine.tool


def _joints_for(program: Program, goal: Matrix, near: Vector) -> Vector | None:
    flange = goal @ np.linalg.inv(program.machine.tool)
    return kinematics.nearest(program.machine.arm.kind, flange, near)


def _reach(program: Program, goal: Matrix, near: Vector | None = None) -> Vector:
    q = _joints_for(program, goal, program.machine.arm.q if near is None else near)
    if q is None:
        place = ", ".join(f"{value:.3f}" for value in goal[:3, 3])
        raise ProgramDied(f"no inverse kinematics for the tool at ({place})")
    return q


REAL_TIME: dict[int, Command] = {
    9: _speed_joints,
    10: _speed_tool,
    11: _servo_joints,
    24: _servo_tool,
    26: _step_time,
    38: _torques,
    58: _flange,
}
ONCE: dict[int, Command] = {
    1: _move_joints,
    2: _move_joints_to_pose,
    3: _move_line,
    4: _move_line_to_joints,
    15: _speed_stop,
    16: _servo_stop,
    17: _set_payload,
    28: _tool_now,
    29: _set_tool,
    30: _inverse_near,
    31: _protective_stop,
    33: _stop,
    34: _stop,
    35: _set_watchdog,
    36: _has_inverse,
    37: _joints_within_limits,
    39: _compose_poses,
    40: _tool_offset,
    41: _jog,
    42: _stop_jog,
    43: _tool_now,
    44: _tool_of_joints,
    46: _inverse,
    47: _steady,
    60: _has_inverse,
    61: _has_inverse_near,
}
"""Not simulated, and the end of the program, saying so: force mode, freedrive, contact, paths of
moves, servoc, joint history, direct torque, dynamics."""
