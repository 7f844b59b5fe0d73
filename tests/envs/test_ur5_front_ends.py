"""The simulated UR controller's protocols, without sockets: RTDE, dashboard, scripts, faults."""

from __future__ import annotations

import json
import struct
import time

import numpy as np
import pytest
from ur5_lab import own_address

from distraction_gym.envs.ur5.controller import variables, wire
from distraction_gym.envs.ur5.controller.dashboard import DashboardSession
from distraction_gym.envs.ur5.controller.faults import FaultSession, Network
from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.rtde import RtdeSession
from distraction_gym.envs.ur5.controller.safety import RobotMode, Runtime, SafetyMode
from distraction_gym.envs.ur5.controller.script import ScriptSession
from distraction_gym.envs.ur5.controller.server import Server, check_loopback
from distraction_gym.envs.ur5.controller.variables import Version
from distraction_gym.envs.ur5.kinematics import UR5E

HOST = own_address(61)


@pytest.fixture
def machine() -> Machine:
    return Machine(UR5E, Version.parse("5.11.1"))


def ask(session: RtdeSession, kind: str, body: bytes = b"") -> bytes:
    """Send one frame; return the body of the one frame that answers it."""
    frames = wire.Splitter().feed(session.feed(wire.frame(ord(kind), body)))
    assert [got for got, _ in frames] == [ord(kind)]
    return frames[0][1]


def outputs(session: RtdeSession, names: str, frequency: float = 500.0) -> bytes:
    return ask(session, "O", struct.pack(">d", frequency) + names.encode())


def data(recipe: int, layout: str, *values: float) -> bytes:
    return wire.frame(wire.DATA, struct.pack(f">B{layout}", recipe, *values))


def started(machine: Machine) -> Machine:
    machine.upload(0)
    for _ in range(40):
        machine.cycle()
    assert machine.runtime == Runtime.PLAYING
    return machine


# ---- the wire


def test_frames_are_big_endian_and_count_their_header() -> None:
    assert wire.frame(ord("V"), b"\x00\x02") == b"\x00\x05V\x00\x02"


def test_frames_arrive_in_any_pieces() -> None:
    stream = wire.frame(ord("v")) + wire.frame(ord("U"), b"12345") + wire.frame(ord("S"))
    for size in (1, 2, 5, len(stream)):
        splitter, found = wire.Splitter(), []
        for start in range(0, len(stream), size):
            found += splitter.feed(stream[start : start + size])
        assert found == [(ord("v"), b""), (ord("U"), b"12345"), (ord("S"), b"")]


def test_a_size_below_the_header_is_no_frame() -> None:
    with pytest.raises(wire.WrongFrame, match="2 bytes"):
        wire.Splitter().feed(b"\x00\x02V")


def test_sizes_of_the_types() -> None:
    sizes = {
        **{"BOOL": 1, "UINT8": 1, "UINT32": 4, "UINT64": 8, "INT32": 4, "DOUBLE": 8},
        **{"VECTOR3D": 24, "VECTOR6D": 48, "VECTOR6INT32": 24, "VECTOR6UINT32": 24},
    }
    assert wire.TYPES.keys() == sizes.keys()
    for kind, size in sizes.items():
        assert wire.Recipe(1, {"x": kind}).size == 1 + size


def test_values_are_packed_without_gaps_and_come_back() -> None:
    recipe = wire.Recipe(7, {"mask": "UINT8", "x": "DOUBLE", "n": "INT32", "v": "VECTOR3D"})
    values: dict[str, wire.Value] = {"mask": 3, "x": 1.5, "n": -2, "v": [1.0, 2.0, 3.0]}
    packed = recipe.pack(values)
    assert packed == b"\x00\x29U\x07" + struct.pack(">Bdi3d", 3, 1.5, -2, 1, 2, 3)
    assert recipe.unpack(packed[3:]) == values
    with pytest.raises(wire.WrongFrame, match="37 bytes for recipe 7, which has 38"):
        recipe.unpack(packed[3:-1])


def test_a_list_of_names_ends_with_a_comma_and_is_not_too_long() -> None:
    assert wire.names(b"timestamp,actual_q,") == ["timestamp", "actual_q"]
    assert wire.names(b"") == []
    with pytest.raises(wire.WrongFrame, match="2049 bytes"):
        wire.names(b"x" * 2049)


# The default list of RTDEReceiveInterface, in its order.
RECEIVED = [
    "timestamp",
    "target_q",
    "target_qd",
    "target_qdd",
    "target_current",
    "target_moment",
    "actual_q",
    "actual_qd",
    "actual_current",
    "joint_control_output",
    "actual_TCP_pose",
    "actual_TCP_speed",
    "actual_TCP_force",
    "target_TCP_pose",
    "target_TCP_speed",
    "actual_digital_input_bits",
    "joint_temperatures",
    "actual_execution_time",
    "robot_mode",
    "joint_mode",
    "safety_mode",
    "actual_tool_accelerometer",
    "speed_scaling",
    "target_speed_fraction",
    "actual_momentum",
    "actual_main_voltage",
    "actual_robot_voltage",
    "actual_robot_current",
    "actual_joint_voltage",
    "actual_digital_output_bits",
    "runtime_state",
    "standard_analog_input0",
    "standard_analog_input1",
    "standard_analog_output0",
    "standard_analog_output1",
    "robot_status_bits",
    "safety_status_bits",
]
REGISTERS = [
    "output_int_register_2",
    *(f"output_{kind}_register_{n}" for kind in ("int", "double") for n in range(12, 20)),
]
PAYLOAD = ["payload", "payload_cog", "payload_inertia"]


@pytest.mark.parametrize(
    ("version", "extra", "count", "size"),
    [
        ("5.11.1", ["ft_raw_wrench", *PAYLOAD], 58, 1176),
        ("5.26.0", ["ft_raw_wrench", *PAYLOAD, "actual_current_as_torque"], 59, 1224),
        ("3.15.4", PAYLOAD, 57, 1128),
    ],
)
def test_everything_that_the_client_reads_by_default(
    version: str, extra: list[str], count: int, size: int
) -> None:
    names = [*RECEIVED, *extra, *REGISTERS]
    assert len(names) == count
    session = RtdeSession(Machine(UR5E, Version.parse(version)))
    answer = outputs(session, ",".join(names) + ",")
    assert answer[0] == 1
    assert b"NOT_FOUND" not in answer
    ask(session, "S")
    assert len(session.stream(0)) == 4 + size
    for name in {"ft_raw_wrench", "actual_current_as_torque"} - set(extra):
        assert b"NOT_FOUND" in outputs(session, name)


@pytest.mark.parametrize("text", ["10.7.0", "5", "latest", "5.x.1"])
def test_versions_that_are_not_simulated(text: str) -> None:
    with pytest.raises(ValueError, match=r"version"):
        Version.parse(text)


def test_types_of_the_variables() -> None:
    kinds = {"timestamp": "DOUBLE", "runtime_state": "UINT32", "robot_mode": "INT32"}
    kinds |= {"actual_digital_input_bits": "UINT64", "joint_mode": "VECTOR6INT32"}
    kinds |= {"payload_cog": "VECTOR3D", "payload_inertia": "VECTOR6D"}
    kinds |= {"output_int_register_47": "INT32", "output_double_register_47": "DOUBLE"}
    assert kinds.items() <= variables.OUTPUTS.items()
    for kind in (*variables.OUTPUTS.values(), *variables.INPUTS.values()):
        assert kind in wire.TYPES


# ---- RTDE


def test_versions(machine: Machine) -> None:
    session = RtdeSession(machine)
    assert ask(session, "V", b"\x00\x02") == b"\x01"
    assert ask(session, "V", b"\x00\x01") == b"\x00"
    assert struct.unpack(">4I", ask(session, "v"))[:3] == (5, 11, 1)


def test_one_answer_for_each_request_and_no_data_before_the_start(machine: Machine) -> None:
    session = RtdeSession(machine)
    assert outputs(session, "timestamp,actual_q,") == b"\x01DOUBLE,VECTOR6D"
    assert session.stream(0) == b""
    assert ask(session, "I", b"input_int_register_0,") == b"\x01INT32"
    assert ask(session, "S") == b"\x01"
    assert session.stream(0)[:4] == b"\x00\x3cU\x01"
    assert ask(session, "P") == b"\x01"
    assert session.stream(1) == b""


def test_unknown_outputs_are_not_found(machine: Machine) -> None:
    session = RtdeSession(machine)
    assert outputs(session, "timestamp,nonsense,") == b"\x00DOUBLE,NOT_FOUND"
    assert ask(session, "S") == b"\x00"


def test_frequency_is_divided(machine: Machine) -> None:
    for frequency, expected in ((500.0, 100), (125.0, 25), (60.0, 13), (1000.0, 100)):
        session = RtdeSession(machine)
        outputs(session, "timestamp,", frequency)
        ask(session, "S")
        assert sum(bool(session.stream(cycle)) for cycle in range(100)) == expected


def test_inputs_are_decoded_by_name_whatever_their_number(machine: Machine) -> None:
    session = RtdeSession(machine)
    assert ask(session, "I", b"input_double_register_3,")[0] == 1
    # The command in the middle, and not in the order of the registers.
    names = b"input_double_register_9,input_int_register_0,input_double_register_1,"
    assert ask(session, "I", names) == b"\x02DOUBLE,INT32,DOUBLE"
    assert session.feed(data(2, "did", 0.9, 11, 0.1)) == b""
    inputs = machine.registers.inputs
    assert inputs["input_int_register_0"] == 11
    assert inputs["input_double_register_9"] == 0.9
    assert inputs["input_double_register_1"] == 0.1
    assert inputs["input_double_register_3"] == 0


def test_an_input_has_one_owner_until_it_hangs_up(machine: Machine) -> None:
    first, second = RtdeSession(machine), RtdeSession(machine)
    assert ask(first, "I", b"input_int_register_0,")[0] == 1
    assert ask(first, "I", b"input_int_register_0,input_int_register_1,")[0] == 2  # its own
    answer = ask(second, "I", b"input_int_register_2,input_int_register_0,")
    assert answer == b"\x00INT32,IN_USE"
    assert ask(first, "I", b"input_int_register_2,")[0] == 3  # a refused recipe claims nothing
    first.closed()
    assert ask(second, "I", b"input_int_register_0,")[0] == 1


def test_a_lost_owner_leaves_its_command_standing(machine: Machine) -> None:
    session = RtdeSession(machine)
    ask(session, "I", b"input_int_register_0,")
    session.feed(data(1, "i", 9))
    session.closed()
    assert machine.state()["command"] == 9


@pytest.mark.parametrize(
    "frame", [data(1, "i", 9)[:-1] + b"", data(1, "ii", 9, 9), data(5, "i", 9), b"\x00\x03Z"]
)
def test_bad_frames_are_counted_and_named(machine: Machine, frame: bytes) -> None:
    session = RtdeSession(machine)
    ask(session, "I", b"input_int_register_0,")
    size = struct.pack(">H", len(frame))
    assert session.feed(size + frame[2:]) == b""
    assert machine.counts["bad_frames"] == 1
    assert "bad RTDE frame" in machine.events[-1][1]
    assert machine.state()["command"] == 0


def test_a_stream_that_lost_its_frames_is_hung_up(machine: Machine) -> None:
    session = RtdeSession(machine)
    session.feed(b"\x00\x00\x00\x00")
    assert session.finished


def test_io_client_moves_the_speed_slider(machine: Machine) -> None:
    session = RtdeSession(machine)
    assert ask(session, "I", b"speed_slider_mask,speed_slider_fraction,") == b"\x01UINT32,DOUBLE"
    session.feed(data(1, "Id", 1, 0.3))
    machine.cycle()
    assert machine.speed_fraction == 0.3


# ---- dashboard


def test_dashboard_greets_and_answers_lines(machine: Machine) -> None:
    session = DashboardSession(machine)
    assert session.greeting.startswith(b"Connected: Universal Robots Dashboard Server")
    assert session.feed(b"PolyscopeVers") == b""
    assert session.feed(b"ion\nrunning\n") == b"URSoftware 5.11.1.108318\nProgram running: false\n"
    assert session.answer("get serial number").isdigit()


def test_dashboard_stops_pauses_and_plays(machine: Machine) -> None:
    session = DashboardSession(started(machine))
    assert session.answer("running") == "Program running: true"
    assert session.answer("pause") == "Pausing program"
    assert session.answer("programState") == "PAUSED rtde_control"
    assert session.answer("play") == "Starting program"
    assert session.answer("stop") == "Stopped"
    assert session.answer("stop") == "Stopped"
    assert session.answer("play").startswith("Failed")
    assert session.answer("programState").startswith("STOPPED")


def test_dashboard_unlocks_a_protective_stop_after_five_seconds(machine: Machine) -> None:
    session = DashboardSession(started(machine))
    machine.protective_stop("test")
    assert session.answer("safetymode") == "Safetymode: PROTECTIVE_STOP"
    assert "5s" in session.answer("unlock protective stop")
    for _ in range(2500):
        machine.cycle()
    assert session.answer("unlock protective stop") == "Protective stop releasing"
    assert session.answer("safetystatus") == "Safetystatus: NORMAL"


def test_dashboard_power(machine: Machine) -> None:
    session = DashboardSession(machine)
    session.answer("power off")
    assert session.answer("robotmode") == "Robotmode: POWER_OFF"
    assert session.answer("power on") == "Powering on"
    assert session.answer("robotmode") == "Robotmode: IDLE"
    assert session.answer("brake release") == "Brake releasing"
    assert session.answer("robotmode") == "Robotmode: RUNNING"
    machine.emergency_stop()
    assert session.answer("power on").startswith("Failed")


def test_dashboard_says_whether_it_is_in_remote_control(machine: Machine) -> None:
    session = DashboardSession(machine)
    assert session.answer("is in remote control") == "true"
    machine.remote = False
    assert session.answer("is in remote control") == "false"


def test_dashboard_is_polite(machine: Machine) -> None:
    session = DashboardSession(machine)
    for line in ("popup hello", "close popup", "close safety popup", "addToLog x", "setUserRole y"):
        assert "could not understand" not in session.answer(line)
    assert "could not understand" in session.answer("popupx")
    assert session.answer("isProgramSaved").startswith("True")
    session.answer("quit")
    assert session.finished


# ---- scripts

SCRIPT = """def rtde_control():
    global reg_offset_float = # float register offset
{0}    global reg_offset_int = # int register offset
{0}    if reg_offset_int == 24:
        textmsg("x")
    end
  end
# NODE_CONTROL_LOOP_ENDS
end
"""


@pytest.mark.parametrize("offset", [0, 24])
def test_a_program_counts_when_its_last_end_has_come(machine: Machine, offset: int) -> None:
    session, text = ScriptSession(machine), SCRIPT.format(offset).encode()
    for start in range(0, len(text) - 1, 7):
        session.feed(text[start : min(start + 7, len(text) - 1)])
        assert machine.program is None
    session.feed(text[-1:])
    assert machine.program is not None
    assert machine.program.offset == offset


def test_other_scripts_are_refused(machine: Machine) -> None:
    ScriptSession(machine).feed(b"def other():\n  movej([0,0,0,0,0,0])\nend\n")
    assert machine.program is None
    assert "refused a script" in machine.events[-1][1]


# ---- faults


def fault(machine: Machine, network: Network | None = None, **order: object) -> dict:
    session = FaultSession(machine, network or Network(machine))
    return json.loads(session.feed(json.dumps(order).encode() + b"\n"))


def test_faults_of_the_machine(machine: Machine) -> None:
    started(machine)
    assert fault(machine, fault="protective_stop") == {}
    assert machine.safety.mode == SafetyMode.PROTECTIVE_STOP
    fault(machine, fault="script_death")
    assert machine.runtime == Runtime.STOPPED
    fault(machine, fault="emergency_stop")
    assert machine.safety.mode == SafetyMode.ROBOT_EMERGENCY_STOP
    assert fault(machine, fault="release_emergency_stop") == {}
    assert "no emergency stop" in fault(machine, fault="release_emergency_stop")["error"]
    fault(machine, fault="power_off")
    assert machine.safety.robot == RobotMode.POWER_OFF
    fault(machine, fault="local_control")
    assert not machine.remote
    fault(machine, fault="remote_control")
    assert machine.remote


def test_faults_of_the_network_end(machine: Machine) -> None:
    network = Network(machine)
    fault(machine, network, fault="stall", seconds=0.01)
    fault(machine, network, fault="lost_packets", fraction=0.3, seconds=1.0)
    lost, silent = 0, 0
    for _ in range(1000):
        lost += network.loses()
        silent += network.silent
        machine.cycle()
    assert silent == 5
    assert 100 < lost < 200  # 30 % of the first 500
    assert machine.counts["packets_lost"] == lost


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"fault": "protectivestop"}, "Did you mean 'protective_stop'"),
        ({"fault": "stall"}, "seconds"),
        ({"fault": "lost_packets", "fraction": 2, "seconds": 1}, "0 to 1"),
        ({}, "fault"),
    ],
)
def test_wrong_orders_are_answered(machine: Machine, order: dict, message: str) -> None:
    assert message in fault(machine, **order)["error"]


def test_state_is_json(machine: Machine) -> None:
    state = fault(started(machine), state=True)
    np.testing.assert_allclose(state["q"], machine.arm.actual_q)
    assert state["runtime_state"] == 2
    assert state["counts"] == {"uploads": 1}
    assert state["events"][-1][1] == "program started"


def test_no_cycle_is_forgotten_by_the_clock(machine: Machine) -> None:
    server = Server(machine, HOST, speed_factor=3.0)
    seen = [time.monotonic()]

    def goes_on() -> bool:
        seen.append(time.monotonic())
        return seen[-1] - seen[0] < 0.2

    server.run(goes_on)
    end = time.monotonic()
    server.close()
    cycles = round(machine.time / machine.dt) + machine.counts["cycles_lost"]
    least, most = (3 * (moment - seen[0]) / machine.dt for moment in (seen[-2], end))
    assert least - 2 <= cycles <= most + 2


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "localhost", "127.0.0.256", ""])
def test_only_loopback_addresses(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        check_loopback(host)
    check_loopback("127.0.0.11")
