"""What the controller reports: how each output variable is read off the machine.

There are no dynamics in a purely kinematic arm: currents, torques, forces and momentum are zero,
temperatures and voltages are constants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.safety import Runtime
from distraction_gym.envs.ur5.controller.wire import Value
from distraction_gym.envs.ur5.kinematics import Arm, Vector

_JOINT_RUNNING = 253


def refresh(machine: Machine, names: Iterable[str]) -> dict[str, Value]:
    """Bring outputs up to date; return the table of all."""
    outputs = machine.registers.outputs
    for name in names:
        if name in _SOURCES:
            outputs[name] = _SOURCES[name](machine)
    return outputs


class _Tool(NamedTuple):
    pose: list[float]
    velocity: list[float]


def _tool(machine: Machine, q: Vector, qd: Vector) -> _Tool:
    return _tool_of(machine.arm.kind, q.tobytes(), qd.tobytes(), machine.tool.tobytes())


@functools.lru_cache(maxsize=8)  # the most that a cycle costs; a standing arm needs none of it
def _tool_of(arm: Arm, q: bytes, qd: bytes, tool: bytes) -> _Tool:
    frames = kinematics.frames(arm, np.frombuffer(q))
    frame = frames[6] @ np.frombuffer(tool).reshape(4, 4)
    velocity = kinematics.jacobian_at(frames, frame[:3, 3]) @ np.frombuffer(qd)
    return _Tool(kinematics.pose(frame).tolist(), velocity.tolist())


def _actual(machine: Machine) -> _Tool:
    return _tool(machine, machine.arm.actual_q, machine.arm.actual_qd)


def _target(machine: Machine) -> _Tool:
    return _tool(machine, machine.arm.q, machine.arm.qd)


_SOURCES: dict[str, Callable[[Machine], Value]] = {
    "timestamp": lambda machine: machine.time,
    "target_q": lambda machine: machine.arm.q.tolist(),
    "target_qd": lambda machine: machine.arm.qd.tolist(),
    "target_qdd": lambda machine: machine.arm.qdd.tolist(),
    "actual_q": lambda machine: machine.arm.actual_q.tolist(),
    "actual_qd": lambda machine: machine.arm.actual_qd.tolist(),
    "actual_TCP_pose": lambda machine: _actual(machine).pose,
    "actual_TCP_speed": lambda machine: _actual(machine).velocity,
    "target_TCP_pose": lambda machine: _target(machine).pose,
    "target_TCP_speed": lambda machine: _target(machine).velocity,
    "elbow_position": lambda machine: kinematics.frames(machine.arm.kind, machine.arm.actual_q)[
        2, :3, 3
    ].tolist(),
    "robot_mode": lambda machine: int(machine.safety.robot),
    "safety_mode": lambda machine: int(machine.safety.mode),
    "runtime_state": lambda machine: int(machine.runtime),
    "robot_status_bits": lambda machine: machine.status_bits,
    "safety_status_bits": lambda machine: machine.safety.status_bits,
    "joint_mode": lambda machine: [_JOINT_RUNNING] * 6,
    "joint_temperatures": lambda machine: [30.0] * 6,
    "actual_main_voltage": lambda machine: 48.0,
    "actual_robot_voltage": lambda machine: 48.0,
    "actual_joint_voltage": lambda machine: [48.0] * 6,
    "actual_tool_accelerometer": lambda machine: [0.0, 0.0, 9.81],
    "speed_scaling": lambda machine: (
        machine.speed_fraction if machine.runtime == Runtime.PLAYING else 0.0
    ),
    "target_speed_fraction": lambda machine: machine.speed_fraction,
    "payload": lambda machine: machine.payload[0],
    "payload_cog": lambda machine: machine.payload[1],
}
