"""The unmodified ur-rtde client against the simulated controller, in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.managers import BaseManager, RemoteError
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ur5_lab import own_address

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller import ControllerProcess
from distraction_gym.envs.ur5.controller.machine import HOME
from distraction_gym.envs.ur5.controller.process import ControllerError
from distraction_gym.envs.ur5.kinematics import UR5E

control = pytest.importorskip(
    "rtde_control", reason="needs ur-rtde: pip install 'distraction-gym[ur5]'"
)
receive = pytest.importorskip("rtde_receive")
dashboard = pytest.importorskip("dashboard_client")
rtde_io = pytest.importorskip("rtde_io")

HOST, CB3_HOST, NOBODY = (own_address(number) for number in (31, 32, 33))


class Clients(BaseManager):
    """Clients in a process of their own: a lost connection can end it."""


for name, kind in (
    ("Receive", receive.RTDEReceiveInterface),
    ("Control", control.RTDEControlInterface),
    ("Dashboard", dashboard.DashboardClient),
    ("InputOutput", rtde_io.RTDEIOInterface),
):
    Clients.register(name, kind)


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    with Clients(ctx=multiprocessing.get_context("spawn")) as clients:
        yield clients


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def robot(clients: Clients) -> Iterator[SimpleNamespace]:
    """A controller, and the three clients on it."""
    with ControllerProcess(HOST) as controller:
        robot = SimpleNamespace(
            controller=controller,
            receive=clients.Receive(HOST, 125.0),
            control=clients.Control(HOST),
            dashboard=clients.Dashboard(HOST),
            clients=clients,
        )
        robot.dashboard.connect()
        yield robot
        robot.control.disconnect()
        robot.receive.disconnect()


@pytest.fixture
def ready(robot: SimpleNamespace) -> SimpleNamespace:
    """The robot with its program running, whatever the test before did."""
    state = robot.controller.state()
    if (state["safety_mode"], state["robot_mode"]) != (1, 7):
        robot.controller.inject("emergency_stop")  # the one stop that can be released at once
        robot.controller.inject("release_emergency_stop")
        robot.dashboard.brakeRelease()
        see(robot, getRobotMode=7, getSafetyMode=1)
    if not robot.control.isProgramRunning():
        robot.control.reuploadScript()
        wait_for(robot.control.isProgramRunning)
    return robot


def see(robot: SimpleNamespace, **expected: int) -> None:
    """Wait until the client reads what the controller says."""
    for name, value in expected.items():
        wait_for(lambda: getattr(robot.receive, name)() == value)  # noqa: B023


def test_client_reads(ready: SimpleNamespace) -> None:
    reader = ready.receive
    assert reader.isConnected()
    np.testing.assert_allclose(reader.getActualQ(), HOME, atol=1e-9)
    flange = kinematics.forward(UR5E, HOME)
    np.testing.assert_allclose(kinematics.matrix(reader.getActualTCPPose()), flange, atol=1e-9)
    modes = (reader.getRobotMode(), reader.getSafetyMode(), reader.getSafetyStatusBits())
    assert modes == (7, 1, 1)
    assert (reader.getRuntimeState(), reader.getRobotStatus()) == (2, 3)
    assert (reader.getPayload(), reader.getJointMode()) == (0, [253] * 6)
    before = reader.getTimestamp()
    wait_for(lambda: reader.getTimestamp() > before + 0.1)


def test_client_asks_for_what_is_not_there(ready: SimpleNamespace) -> None:
    with pytest.raises(RemoteError, match=r"RuntimeError.*nonsense"):
        ready.clients.Receive(HOST, 125.0, ["timestamp", "nonsense"])


def test_client_moves(ready: SimpleNamespace) -> None:
    target = np.add(HOME, [0.2, -0.1, 0.1, 0, 0, 0.3])
    assert ready.control.moveJ(target.tolist(), 2.0, 6.0)
    np.testing.assert_allclose(ready.controller.state()["q"], target, atol=1e-5)
    pose = ready.receive.getTargetTCPPose()
    pose[2] -= 0.05
    assert ready.control.moveL(pose, 0.5, 2.0)
    reached = kinematics.forward(UR5E, ready.controller.state()["q"])
    np.testing.assert_allclose(reached, kinematics.matrix(pose), atol=1e-5)
    assert ready.control.moveJ(list(HOME), 2.0, 6.0, True)  # asynchronous
    assert ready.control.getAsyncOperationProgress() >= 0
    wait_for(lambda: ready.control.getAsyncOperationProgress() < 0)
    np.testing.assert_allclose(ready.controller.state()["q"], HOME, atol=1e-5)


def test_client_steers_by_speed_and_by_servo(ready: SimpleNamespace) -> None:
    assert ready.control.speedJ([0.2, 0, 0, 0, 0, 0], 2.0)
    wait_for(lambda: ready.receive.getActualQd()[0] > 0.19)
    assert ready.control.speedStop(10.0)
    assert ready.controller.state()["standing"]
    assert ready.control.speedL([0, 0, -0.05, 0, 0, 0], 1.0)
    wait_for(lambda: ready.receive.getActualTCPSpeed()[2] < -0.049)
    assert ready.control.speedStop(10.0)
    target = np.add(ready.receive.getActualQ(), 0.05)
    wait_for(
        lambda: (
            ready.control.servoJ(target.tolist(), 0, 0, 0.002, 0.1, 300)
            and np.abs(np.subtract(ready.receive.getActualQ(), target)).max() < 1e-4
        )
    )
    assert ready.control.servoStop(10.0)


def test_client_asks_the_program(ready: SimpleNamespace) -> None:
    q = ready.controller.state()["q"]  # the reader may be a frame behind
    pose = ready.control.getForwardKinematics()
    np.testing.assert_allclose(kinematics.matrix(pose), kinematics.forward(UR5E, q), atol=1e-5)
    np.testing.assert_allclose(ready.control.getInverseKinematics(pose), q, atol=1e-5)
    assert ready.control.isJointsWithinSafetyLimits(q)
    assert not ready.control.isPoseWithinSafetyLimits([1.5, 0, 0, 0, 0, 0])
    assert ready.control.isSteady()
    assert ready.control.setTcp([0, 0, 0.1, 0, 0, 0])
    assert ready.control.getTCPOffset() == [0, 0, 0.1, 0, 0, 0]
    assert ready.control.setTcp([0] * 6)


def test_dashboard_client(ready: SimpleNamespace) -> None:
    board = ready.dashboard
    assert board.running()
    assert board.isInRemoteControl()
    assert "RUNNING" in board.robotmode()
    assert "NORMAL" in board.safetymode()
    assert "5.11.1" in str(board.polyscopeVersion())
    assert board.getSerialNumber().isdigit()
    board.stop()
    see(ready, getRuntimeState=1)
    with pytest.raises(RuntimeError, match="Failed to execute: play"):
        board.play()
    assert not ready.control.moveJ(list(HOME), 1.0, 1.0)
    assert "PLAYING" not in board.programState()


def test_client_refuses_a_robot_in_local_control(ready: SimpleNamespace) -> None:
    ready.controller.inject("local_control")
    with pytest.raises(RemoteError, match=r"RuntimeError.*remote control"):
        ready.clients.Control(HOST)
    ready.controller.inject("remote_control")
    assert ready.dashboard.isInRemoteControl()


def test_registers_have_one_owner(ready: SimpleNamespace) -> None:
    with pytest.raises(RemoteError, match=r"RuntimeError.*(?i:in use)"):
        ready.clients.Control(HOST)
    slider = ready.clients.InputOutput(HOST)
    assert slider.setSpeedSlider(0.5)
    wait_for(lambda: ready.controller.state()["speed_fraction"] == 0.5)
    assert slider.setSpeedSlider(1.0)
    wait_for(lambda: ready.controller.state()["speed_fraction"] == 1.0)
    slider.disconnect()


def test_protective_stop(ready: SimpleNamespace) -> None:
    assert ready.control.speedJ([0.2, 0, 0, 0, 0, 0], 2.0)
    ready.controller.inject("protective_stop")
    wait_for(ready.receive.isProtectiveStopped)
    assert (ready.receive.getSafetyMode(), ready.receive.getSafetyStatusBits()) == (3, 4 + 1024)
    wait_for(lambda: not ready.control.speedJ([0.2, 0, 0, 0, 0, 0], 2.0))
    wait_for(lambda: ready.controller.state()["standing"])
    with pytest.raises(RuntimeError, match="5s"):
        ready.dashboard.unlockProtectiveStop()


def test_emergency_stop(ready: SimpleNamespace) -> None:
    ready.controller.inject("emergency_stop")
    wait_for(ready.receive.isEmergencyStopped)
    see(ready, getSafetyMode=7, getRobotMode=3, getRuntimeState=1)
    assert ready.control.isConnected()
    assert not ready.control.moveJ(list(HOME), 1.0, 1.0)
    ready.controller.inject("release_emergency_stop")
    ready.dashboard.powerOn()
    ready.dashboard.brakeRelease()
    see(ready, getSafetyMode=1, getRobotMode=7, getRuntimeState=1)


def test_out_of_reach_ends_the_program_and_it_comes_back(ready: SimpleNamespace) -> None:
    assert not ready.control.moveL([2.0, 0, 0.3, 0, 0, 0], 0.1, 0.5)
    assert not ready.control.isProgramRunning()
    assert ready.control.reuploadScript()
    wait_for(ready.control.isProgramRunning)
    assert ready.control.moveJ(list(HOME), 2.0, 6.0)


def test_watchdog(ready: SimpleNamespace) -> None:
    assert ready.control.setWatchdog(5.0)
    assert ready.control.speedJ([0.1, 0, 0, 0, 0, 0], 2.0)
    see(ready, getRuntimeState=1)
    wait_for(lambda: ready.controller.state()["standing"])
    assert "watchdog" in str(ready.controller.state()["events"])
    # The command still stands in its register: a new program goes on with it, without a watchdog.
    assert ready.control.reuploadScript()
    wait_for(lambda: ready.controller.state()["qd"][0] > 0.09)
    assert ready.control.speedStop(10.0)


def test_lost_packets_and_a_short_stall_are_survived(ready: SimpleNamespace) -> None:
    ready.controller.inject("lost_packets", fraction=0.5, seconds=0.3)
    wait_for(lambda: ready.controller.state()["counts"].get("packets_lost", 0) > 20)
    ready.controller.inject("stall", seconds=0.3)
    frozen = ready.receive.getTimestamp()
    wait_for(lambda: ready.receive.getTimestamp() > frozen + 0.3)
    assert ready.receive.isConnected()
    assert ready.control.moveJ(list(HOME), 2.0, 6.0)


def test_what_a_short_command_vector_sends_is_reported(ready: SimpleNamespace) -> None:
    before = ready.controller.state()["counts"].get("bad_frames", 0)
    assert ready.control.servoJ([0.0, 0.0, 0.0], 0, 0, 0.002, 0.1, 300)
    wait_for(lambda: ready.controller.state()["counts"].get("bad_frames", 0) == before + 1)


CHILD = """
import sys, time, rtde_control
robot = rtde_control.RTDEControlInterface(sys.argv[1])
robot.speedJ([0.1, 0, 0, 0, 0, 0], 1.0)
print("moving", flush=True)
time.sleep(60)
"""


def test_a_killed_client_leaves_a_moving_arm_and_a_closed_socket_is_noticed(
    clients: Clients,
) -> None:
    start = np.add(HOME, 0.1).tolist()
    with ControllerProcess(CB3_HOST, model="ur5", start=start) as controller:  # 125 Hz
        reader = clients.Receive(CB3_HOST, 125.0)
        np.testing.assert_allclose(controller.state()["q"], start)
        command = [sys.executable, "-c", CHILD, CB3_HOST]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"moving\n"
        finally:
            child.kill()
            child.wait()
        first = controller.state()
        wait_for(lambda: controller.state()["time"] > first["time"] + 0.5)
        state = controller.state()
        assert (state["command"], state["standing"]) == (9, False)
        assert state["version"] == "3.15.4"
        controller.inject("socket_close")
        wait_for(lambda: not reader.isConnected())
        assert len(reader.getActualQ()) == 6  # the last values, for ever, without an error


def test_a_process_that_cannot_start_says_why(robot: SimpleNamespace) -> None:
    with pytest.raises(ControllerError, match=r"(?i)address already in use"):
        ControllerProcess(HOST, faults_port=30199).start()
    with pytest.raises(ControllerError, match="loopback"):
        ControllerProcess("10.0.0.1").start()


def test_only_its_own_address_is_served(robot: SimpleNamespace) -> None:
    for port in (30004, 29999, 30003):
        with contextlib.closing(socket.create_connection((HOST, port), 5)):
            pass
        with pytest.raises(OSError, match=r"(?i)refused"):
            socket.create_connection((NOBODY, port), 5)
