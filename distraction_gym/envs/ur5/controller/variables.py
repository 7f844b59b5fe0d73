"""The variables that the controller knows, their types, and since which version.

From Universal Robots' "Real-Time Data Exchange" guide, as far as `ur-rtde` asks for them.
"""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """A controller's version: 3.x is a CB3, 5.x an e-Series."""

    major: int
    minor: int
    bugfix: int
    build: int = 108318

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `"5.11.1"`.

        Raises:
            ValueError: for a text that is no version, and for one that is not simulated.
        """
        parts = text.split(".")
        if not 3 <= len(parts) <= 4 or not all(part.isdigit() for part in parts):
            raise ValueError(f"expected a version such as 5.11.1 or 3.15.4, got {text!r}")
        version = cls(*map(int, parts))
        if version.major not in (3, 5):
            raise ValueError(
                f"version {text}: 3.x (CB3) and 5.x (e-Series) are simulated; ur-rtde uploads no "
                "program to PolyScope X (10.x)"
            )
        return version

    @property
    def cycle(self) -> float:
        """Seconds of one control cycle: 2 ms, 8 ms on a CB3."""
        return 0.002 if self.major > 3 else 0.008


REGISTERS = 48
"""Registers of each kind: 0-23 for fieldbuses (the lower range), 24-47 for RTDE (the upper)."""


def _registers(direction: str) -> dict[str, str]:
    kinds = {"int": "INT32", "double": "DOUBLE"}
    return {
        f"{direction}_{kind}_register_{number}": code
        for kind, code in kinds.items()
        for number in range(REGISTERS)
    }


def _named(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


OUTPUTS: dict[str, str] = {
    **_named(
        "DOUBLE",
        "timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum "
        "actual_main_voltage actual_robot_voltage actual_robot_current payload "
        "standard_analog_input0 standard_analog_input1 "
        "standard_analog_output0 standard_analog_output1",
    ),
    **_named(
        "VECTOR6D",
        "target_q target_qd target_qdd target_current target_moment actual_q actual_qd "
        "actual_current joint_control_output actual_TCP_pose actual_TCP_speed actual_TCP_force "
        "target_TCP_pose target_TCP_speed joint_temperatures actual_joint_voltage "
        "ft_raw_wrench payload_inertia actual_current_as_torque",
    ),
    **_named("VECTOR3D", "actual_tool_accelerometer payload_cog elbow_position elbow_velocity"),
    **_named("UINT64", "actual_digital_input_bits actual_digital_output_bits"),
    **_named("UINT32", "runtime_state robot_status_bits safety_status_bits"),
    **_named("INT32", "robot_mode safety_mode"),
    **_named("VECTOR6INT32", "joint_mode"),
    **_registers("output"),
}
INPUTS: dict[str, str] = {
    **_named("UINT32", "speed_slider_mask"),
    **_named("DOUBLE", "speed_slider_fraction standard_analog_output_0 standard_analog_output_1"),
    **_named(
        "UINT8",
        "standard_digital_output_mask standard_digital_output configurable_digital_output_mask "
        "configurable_digital_output tool_digital_output_mask tool_digital_output "
        "standard_analog_output_mask standard_analog_output_type",
    ),
    **_named("VECTOR6D", "external_force_torque"),
    **_registers("input"),
}
# Since which version a CB3 and an e-Series have a variable; None: never.
SINCE: dict[str, dict[int, tuple[int, int] | None]] = {
    "ft_raw_wrench": {3: None, 5: (5, 9)},
    "payload": {3: (3, 11), 5: (5, 6)},
    "payload_cog": {3: (3, 11), 5: (5, 6)},
    "payload_inertia": {3: (3, 15), 5: (5, 11)},
    "actual_current_as_torque": {3: None, 5: (5, 23)},
}


def outputs(version: Version) -> dict[str, str]:
    """Return the names and types of what a controller of this version can send."""
    return {name: kind for name, kind in OUTPUTS.items() if _has(version, name)}


def _has(version: Version, name: str) -> bool:
    since = SINCE.get(name, {}).get(version.major, (0, 0))
    return since is not None and version[:2] >= since
