"""The simulated UR controller without its sockets: motion, program, stops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller import machine as machines
from distraction_gym.envs.ur5.controller.arm import Body
from distraction_gym.envs.ur5.controller.machine import HOME, Machine
from distraction_gym.envs.ur5.controller.motions import JointMove, Trapezoid
from distraction_gym.envs.ur5.controller.safety import RobotMode, Runtime, SafetyMode
from distraction_gym.envs.ur5.controller.variables import Version
from distraction_gym.envs.ur5.kinematics import UR5E

READY, DONE = 1, 2
MOVE_J, MOVE_L, SPEED_J, SPEED_L, SERVO_J = 1, 3, 9, 10, 11
SPEED_STOP, SERVO_STOP, STOP_J, WATCHDOG = 15, 16, 34, 35


class Client:
    """Writes registers and lets cycles pass, as ur-rtde does."""

    def __init__(self, offset: int = 0, version: str = "5.11.1", body: Body | None = None) -> None:
        self.machine = Machine(UR5E, Version.parse(version), body=body)
        self.offset = offset

    def start(self) -> Client:
        self.machine.upload(self.offset)
        self.run(0.06)
        assert self.machine.runtime == Runtime.PLAYING
        assert self.out(0) == READY
        return self

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / self.machine.dt)):
            self.machine.cycle()

    def send(self, command: int, *doubles: float, async_: int = 0) -> None:
        values = {f"input_double_register_{i + self.offset}": x for i, x in enumerate(doubles)}
        values[f"input_int_register_{self.offset}"] = command
        values[f"input_int_register_{1 + self.offset}"] = async_
        self.machine.registers.write(values, self.machine.time)

    def clear(self) -> None:
        self.send(0)
        self.machine.cycle()
        assert self.out(0) == READY

    def call(self, command: int, *doubles: float, async_: int = 0, limit: float = 20) -> float:
        """Send a blocking command, wait for its end and clear it; return how long it took."""
        before = self.machine.time
        self.send(command, *doubles, async_=async_)
        while self.out(0) != DONE:
            self.machine.cycle()
            assert self.machine.time - before < limit, self.machine.events
        took = self.machine.time - before
        self.clear()
        return took

    def out(self, number: int) -> int:
        return self.machine.registers.outputs[f"output_int_register_{number + self.offset}"]

    def results(self, count: int = 6) -> np.ndarray:
        names = [f"output_double_register_{n + self.offset}" for n in range(count)]
        return np.array([self.machine.registers.outputs[name] for name in names])

    @property
    def q(self) -> np.ndarray:
        return self.machine.arm.actual_q

    @property
    def last_event(self) -> str:
        return self.machine.events[-1][1]


@pytest.fixture
def client() -> Client:
    return Client().start()


def moved(by: float = 0.3) -> np.ndarray:
    return np.array(HOME) + by * np.array([1, 0.5, -0.5, 0.2, 0, 1])


def test_trapezoid_keeps_speed_and_acceleration() -> None:
    for way, speed in ((1.0, 0.5), (0.05, 0.5)):
        profile = Trapezoid(way, speed, acceleration=2.0)
        times = np.linspace(0, profile.duration, 2001)
        s = np.array([profile.part(t) for t in times]) * way
        rate = np.gradient(s, times)
        assert s[0] == 0
        assert s[-1] == pytest.approx(way)
        assert rate.max() <= speed + 1e-6
        assert np.abs(np.gradient(rate, times)).max() <= 2.0 + 1e-3
    assert Trapezoid(0.0, 1, 1).duration == 0


def test_move_of_joints_takes_the_time_of_its_trapezoid_and_arrives(client: Client) -> None:
    took = client.call(MOVE_J, *moved(), 1.0, 2.0)
    ramps = 2 * math.sqrt(0.3 / 2.0)  # too short to reach 1 rad/s
    assert ramps < took < ramps + 0.15  # and until it has settled
    np.testing.assert_allclose(client.q, moved(), atol=1e-5)


def test_joints_of_a_move_arrive_together_within_the_speed() -> None:
    move, q, qd = JointMove(moved(), 0.5, 1.0), np.array(HOME), np.zeros(6)
    fastest = 0.0
    while not move.finished:
        new = move.step(q, qd, 0.002, 1.0)
        qd, q = (new - q) / 0.002, new
        fastest = max(fastest, np.abs(qd).max())
        part = (q - HOME)[:2] / (moved() - HOME)[:2]
        assert part[0] == pytest.approx(part[1])
    assert fastest == pytest.approx(0.5, rel=1e-3)
    np.testing.assert_array_equal(q, moved())


def test_move_of_the_tool_is_straight(client: Client) -> None:
    start = kinematics.forward(UR5E, client.q)
    goal = kinematics.pose(start) + np.array([0.05, -0.1, -0.1, 0, 0, 0])
    client.send(MOVE_L, *goal, 0.25, 1.0)
    line = (goal[:3] - start[:3, 3]) / np.linalg.norm(goal[:3] - start[:3, 3])
    while client.out(0) != DONE:
        client.machine.cycle()
        along = kinematics.forward(UR5E, client.machine.arm.q)[:3, 3] - start[:3, 3]
        assert np.linalg.norm(along - along @ line * line) < 1e-9
    reached = kinematics.forward(UR5E, client.q)
    np.testing.assert_allclose(reached, kinematics.matrix(goal), atol=1e-5)


def test_done_stands_until_the_register_is_cleared(client: Client) -> None:
    client.send(40)
    client.run(0.01)
    assert client.out(0) == DONE
    client.send(29, 0, 0, 0.1, 0, 0, 0)  # not looked at: the last one was not cleared
    client.run(0.01)
    assert client.machine.tool[2, 3] == 0
    client.clear()
    client.call(29, 0, 0, 0.1, 0, 0, 0)
    assert client.machine.tool[2, 3] == 0.1


def test_a_real_time_command_stands_and_publishes_ready(client: Client) -> None:
    client.send(SPEED_J, 0.2, 0, 0, 0, 0, 0, 1.0, 0.0)
    client.run(1.0)
    assert client.out(0) == READY
    assert client.machine.arm.qd[0] == pytest.approx(0.2)
    assert client.q[0] == pytest.approx(0.2 * 1.0 - 0.2**2 / 2, abs=0.004)  # ramp of 0.2 s
    client.clear()
    client.run(1.0)  # its thread goes on without the command, and would after `time`
    assert client.machine.arm.qd[0] == pytest.approx(0.2)
    assert client.call(SPEED_STOP, 10.0) < 0.2
    assert client.machine.arm.standing


def test_acceleration_of_a_speed_is_kept(client: Client) -> None:
    client.send(SPEED_J, 0.5, -0.25, 0, 0, 0, 0, 1.4, 0.0)
    client.run(0.1)
    assert np.abs(client.machine.arm.qdd).max() == pytest.approx(1.4, rel=1e-6)
    assert client.machine.arm.qd[1] == pytest.approx(-client.machine.arm.qd[0] / 2)


def test_speed_of_the_tool(client: Client) -> None:
    client.send(SPEED_L, 0, 0, -0.1, 0, 0, 0, 1.0, 0.0)
    client.run(0.5)
    arm = client.machine.arm
    velocity = kinematics.jacobian(UR5E, arm.q) @ arm.qd
    np.testing.assert_allclose(velocity, [0, 0, -0.1, 0, 0, 0], atol=2e-4)
    client.send(SPEED_J, *[0] * 6, 1.0, 0.0)  # the same thread of the program
    client.run(1.0)
    assert client.machine.runtime == Runtime.PLAYING
    assert arm.standing


def test_servo_follows_without_overshoot_within_limits(client: Client) -> None:
    target = np.add(HOME, [1.5, -0.01, 0, 0, 0, 0])
    client.send(SERVO_J, *target, 0, 0, 0.002, 0.1, 300)
    top, fastest = -math.inf, 0.0
    for _ in range(1000):
        client.machine.cycle()
        top = max(top, client.machine.arm.q[0])
        fastest = max(fastest, client.machine.arm.qd[0])
    np.testing.assert_allclose(client.q, target, atol=1e-5)
    assert top <= 1.5 + 1e-6
    assert 2 < fastest <= math.pi + 1e-9
    client.call(SERVO_STOP, 10.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((SPEED_J, 0.1, 0, 0, 0, 0, 0, 1.0, 0.0), (MOVE_J, *moved(), 1.0, 1.0)),
        ((SERVO_J, *moved(), 0, 0, 0.002, 0.1, 300), (MOVE_J, *moved(), 1.0, 1.0)),
        (
            (SERVO_J, *moved(), 0, 0, 0.002, 0.1, 300),
            (SPEED_J, 0.1, 0, 0, 0, 0, 0, 1.0, 0.0),
        ),
    ],
)
def test_two_threads_for_one_arm_end_the_program(
    client: Client, first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    client.send(int(first[0]), *first[1:])
    client.run(0.1)
    client.clear()
    client.send(int(second[0]), *second[1:])
    client.run(0.01)
    assert client.machine.runtime == Runtime.STOPPED
    assert "drives the arm" in client.last_event


def test_asynchronous_moves_report_their_progress(client: Client) -> None:
    def word() -> tuple[int, int, int]:
        value = client.out(2)
        return value >> 15 & 1, value >> 16 & 127, value >> 24 & 127

    _, changes, operation = word()
    assert client.call(MOVE_J, *moved(), 0.5, 0.5, async_=1) < 0.01
    assert word() == (1, changes + 1, operation + 1)
    client.run(0.3)
    client.call(MOVE_J, *HOME, 1.0, 1.0, async_=1)  # the first is killed: finished, and started
    assert word() == (1, changes + 3, operation + 2)
    client.run(3.0)
    assert word() == (0, changes + 4, operation + 2)
    np.testing.assert_allclose(client.q, HOME, atol=1e-5)


def test_stopping_an_asynchronous_move(client: Client) -> None:
    client.call(MOVE_J, *moved(1.0), 0.5, 0.5, async_=1)
    client.run(0.5)
    assert client.call(STOP_J, 2.0) < 0.4
    assert client.machine.arm.standing
    assert client.out(2) >> 15 & 1 == 0
    assert 0.05 < client.q[0] < 0.5


def test_out_of_reach_ends_the_program_before_a_move(client: Client) -> None:
    client.send(MOVE_L, 2.0, 0, 0.3, 0, 0, 0, 0.25, 1.0)
    client.run(0.01)
    assert client.machine.runtime == Runtime.STOPPED
    assert "no inverse kinematics" in client.last_event
    assert client.machine.arm.standing


@pytest.mark.parametrize("command", [SPEED_J, SERVO_J, MOVE_J])
def test_nan_ends_the_program(client: Client, command: int) -> None:
    client.send(command, math.nan, *[0] * 9, 300)
    client.run(0.01)
    assert client.machine.runtime == Runtime.STOPPED
    assert "not finite" in client.last_event


def test_a_wrong_feature_to_jog_in_ends_the_program(client: Client) -> None:
    client.send(41, 0, 0, 0.05, 0, 0, 0, 3, 1.0)
    client.run(0.01)
    assert "features 0 to 2" in client.last_event


def test_what_is_not_simulated_ends_the_program(client: Client) -> None:
    client.send(66)
    client.run(0.01)
    assert "command 66 is not simulated" in client.last_event


def test_too_fast_a_speed_is_a_protective_stop(client: Client) -> None:
    client.send(SPEED_J, 10.0, 0, 0, 0, 0, 0, 40.0, 0.0)
    client.run(1.0)
    assert client.machine.safety.mode == SafetyMode.PROTECTIVE_STOP
    assert "joint 0" in client.last_event
    assert client.machine.arm.standing


def test_a_joint_cannot_leave_its_range(client: Client) -> None:
    client.send(SPEED_J, 0, 0, 1.0, 0, 0, 0, 10.0, 0.0)
    client.run(3.0)
    assert client.machine.safety.mode == SafetyMode.PROTECTIVE_STOP
    assert client.q[2] < math.pi + 0.1


def test_watchdog_ends_the_program_and_stops_the_arm(client: Client) -> None:
    client.call(WATCHDOG, 5.0)
    client.send(SPEED_J, 0.2, 0, 0, 0, 0, 0, 1.0, 0.0)
    for _ in range(10):  # any write of the command feeds it
        client.run(0.1)
        client.send(SPEED_J, 0.2, 0, 0, 0, 0, 0, 1.0, 0.0)
    assert client.machine.runtime == Runtime.PLAYING
    client.run(0.19)
    assert client.machine.runtime == Runtime.PLAYING
    before = client.q[0]
    client.run(0.02)
    assert client.machine.runtime == Runtime.STOPPED
    assert "watchdog" in client.last_event
    client.run(0.5)
    assert client.machine.arm.standing
    assert client.q[0] - before < 0.02


def test_a_blocking_move_is_killed_by_its_own_watchdog(client: Client) -> None:
    client.call(WATCHDOG, 5.0)
    client.send(MOVE_J, *moved(1.0), 0.5, 0.5)
    client.run(0.3)
    assert client.machine.runtime == Runtime.STOPPED
    assert client.machine.program is None


def test_without_a_watchdog_the_arm_goes_on_for_ever(client: Client) -> None:
    client.send(SPEED_J, 0.1, 0, 0, 0, 0, 0, 1.0, 0.0)
    client.run(5.0)
    assert client.machine.arm.qd[0] == pytest.approx(0.1)


def test_stop_script(client: Client) -> None:
    client.send(SPEED_J, 0.1, 0, 0, 0, 0, 0, 1.0, 0.0)
    client.run(0.5)
    client.send(255)
    client.run(0.2)
    assert client.machine.runtime == Runtime.STOPPED
    assert client.out(0) == READY  # no "done"
    assert client.machine.arm.standing


def test_protective_stop_pauses_and_unlocks_after_five_seconds(client: Client) -> None:
    client.send(SERVO_J, *moved(), 0, 0, 0.002, 0.1, 300)
    client.run(0.05)
    client.machine.protective_stop("test")
    client.run(0.5)
    assert client.machine.safety.status_bits == 4 + 1024
    assert client.machine.runtime == Runtime.PAUSED
    assert client.machine.arm.standing
    stopped = client.q.copy()
    assert not client.machine.unlock()
    client.run(4.6)
    assert client.machine.unlock()
    assert client.machine.safety.status_bits == 1
    assert client.machine.runtime == Runtime.PLAYING
    client.run(1.0)  # the old target still stands
    assert np.abs(stopped - moved()).max() > 0.05
    np.testing.assert_allclose(client.q, moved(), atol=1e-5)


def test_emergency_stop_takes_power_and_program(client: Client) -> None:
    machine = client.machine
    client.send(SPEED_J, 0.5, 0, 0, 0, 0, 0, 5.0, 0.0)
    client.run(0.5)
    machine.emergency_stop()
    client.run(0.2)
    assert machine.arm.standing
    assert (machine.safety.mode, machine.safety.robot) == (7, 3)
    assert machine.safety.status_bits & 1 << 7
    assert machine.runtime == Runtime.STOPPED
    assert machine.status_bits == 0
    machine.upload(0)  # refused, not kept for later
    assert not machine.safety.release_brakes()
    assert machine.safety.release_emergency_stop()
    assert machine.safety.release_brakes()
    client.run(0.5)
    assert machine.runtime == Runtime.STOPPED
    assert machine.safety.robot == RobotMode.RUNNING
    assert any("refused a program" in event for _, event in machine.events)


def test_power_off_ends_the_program(client: Client) -> None:
    client.machine.power_off()
    assert client.machine.runtime == Runtime.STOPPED
    client.machine.upload(0)
    client.run(0.1)
    assert client.machine.runtime == Runtime.STOPPED


def test_another_program_replaces_a_running_one(client: Client) -> None:
    client.send(SPEED_J, 0.5, 0, 0, 0, 0, 0, 5.0, 0.0)
    client.run(0.5)
    client.send(0)
    client.machine.upload(0)
    client.machine.cycle()
    assert client.machine.runtime == Runtime.STOPPED
    client.run(machines.START_UP + 0.3)
    assert client.machine.runtime == Runtime.PLAYING
    assert client.machine.arm.standing


def test_registers_of_the_upper_range() -> None:
    client = Client(offset=24).start()
    client.call(MOVE_J, *moved(), 2.0, 4.0)
    client.send(SPEED_J, *[0.0] * 6, 1.0)
    assert client.machine.state()["command"] == SPEED_J
    np.testing.assert_allclose(client.q, moved(), atol=1e-5)


def test_speed_slider_slows_moves(client: Client) -> None:
    full = client.call(MOVE_J, *moved(), 1.0, 2.0)
    client.machine.registers.write({"speed_slider_mask": 1, "speed_slider_fraction": 0.3}, 0.0)
    slow = client.call(MOVE_J, *HOME, 1.0, 2.0)
    assert slow / full == pytest.approx(1 / 0.3, rel=0.25)


def test_cb3_cycles_at_125_hz() -> None:
    client = Client(version="3.15.4").start()
    assert client.machine.dt == 0.008
    client.call(MOVE_J, *moved(), 1.0, 2.0)
    np.testing.assert_allclose(client.q, moved(), atol=1e-5)


@pytest.mark.parametrize("version", ["5.11.1", "3.15.4"])
def test_an_arm_with_masses_follows(version: str) -> None:
    pytest.importorskip("mujoco")
    from distraction_gym.envs.ur5.controller.dynamics import MujocoBody

    client = Client(version=version, body=MujocoBody()).start()
    client.send(MOVE_J, *moved(), 1.0, 2.0)
    behind = 0.0
    while client.out(0) != DONE:
        client.machine.cycle()
        behind = max(behind, np.abs(client.q - client.machine.arm.q).max())
    assert 1e-4 < behind < 0.02
    np.testing.assert_allclose(client.q, moved(), atol=1e-3)
    assert np.abs(client.machine.arm.actual_qd).max() < 0.01


TOOL = [0, 0, 0.1, 0.2, 0, 0]


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        (40, [], lambda flange: [0] * 6),
        (43, [], kinematics.pose),
        (28, [], kinematics.pose),
        (44, [*HOME, *TOOL], lambda flange: kinematics.pose(flange @ kinematics.matrix(TOOL))),
        (39, [0.1, 0, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0], lambda flange: [0.3, 0, 0, 0, 0, 0]),
        (46, kinematics.pose(kinematics.forward(UR5E, HOME)), lambda flange: HOME),
        (
            30,
            [*kinematics.pose(kinematics.forward(UR5E, moved())), *moved(0.31), 1e-6, 1e-6],
            lambda flange: moved(),
        ),
    ],
)
def test_questions(
    client: Client, command: int, arguments: list[float], expected: Callable[..., list[float]]
) -> None:
    client.call(command, *arguments)
    flange = kinematics.forward(UR5E, client.q)
    np.testing.assert_allclose(client.results(), expected(flange), atol=1e-6)


@pytest.mark.parametrize(
    ("command", "arguments", "answer"),
    [
        (36, [-0.4, -0.1, 0.4, 0, 3.0, 0], 1),
        (36, [-1.4, -0.1, 0.4, 0, 3.0, 0], 0),
        (37, [0.1] * 6, 1),
        (37, [7.0] * 6, 0),
        (47, [], 1),
        (60, [-1.4, -0.1, 0.4, 0, 3.0, 0], 0),
        (61, [-0.4, -0.1, 0.4, 0, 3.0, 0, *HOME], 1),
    ],
)
def test_yes_or_no(client: Client, command: int, arguments: list[float], answer: int) -> None:
    client.call(command, *arguments)
    assert client.out(1) == answer


def test_payload_step_time_and_flange(client: Client) -> None:
    client.call(17, 1.5, 0.0, 0.01, 0.02)
    assert client.machine.payload == (1.5, [0.0, 0.01, 0.02])
    client.send(26)
    client.run(0.01)
    assert client.results(1)[0] == 0.002
    client.send(58)
    client.run(0.01)
    expected = kinematics.pose(kinematics.forward(UR5E, client.q))
    np.testing.assert_allclose(client.results(), expected)


def test_jogging_in_the_frame_of_the_tool(client: Client) -> None:
    client.send(41, 0, 0, 0.05, 0, 0, 0, 1, 1.0, *[0] * 6)
    client.run(0.5)
    arm = client.machine.arm
    velocity = kinematics.jacobian(UR5E, arm.q) @ arm.qd
    axis = kinematics.forward(UR5E, arm.q)[:3, 2]
    np.testing.assert_allclose(velocity[:3], 0.05 * axis, atol=1e-4)
    client.clear()
    client.call(42)
    assert arm.standing


def test_the_program_may_stop_the_arm(client: Client) -> None:
    client.send(31)
    client.run(0.01)
    assert client.machine.safety.mode == SafetyMode.PROTECTIVE_STOP
