"""The real arm's environment, with ur-rtde as it is, on the simulated controller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np
import pytest
from ur5_lab import FAST, START, own_address, write_film

from distraction_gym.cli import main
from distraction_gym.envs.ur5.controller import CameraProcess, ControllerProcess
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.camera import Camera, CameraError, reduced
from distraction_gym.envs.ur5_real.env import make
from distraction_gym.envs.ur5_real.faults import ArmFault
from distraction_gym.envs.ur5_real.lab import Lab, NotAllowed, allow
from distraction_gym.envs.ur5_real.pace import WINDOW, Pace

ID = "distraction_gym/ur5_real-reach-lab-v0"
HOST = own_address(71)
SLOW_MACHINE = {"limits": FAST, "stale_after": 2.0}
GO = np.array([0.3, 0, 0, 0, 0], np.float32)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> str:
    return write_film(tmp_path_factory.mktemp("camera") / "disc.avi", 640, 360)


@pytest.fixture
def controller():
    pytest.importorskip("rtde_control")
    with ControllerProcess(HOST, start=START) as started:
        yield started


def standing(controller: ControllerProcess, seconds: float = 10.0) -> bool:
    """Whether the arm comes to rest within some time, and then stays where it is."""
    give_up = time.monotonic() + seconds
    while not controller.state()["standing"]:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    before = controller.state()["q"]
    time.sleep(0.3)
    return bool(np.allclose(controller.state()["q"], before, atol=1e-5))


def until_fault(env: gym.Env) -> dict:
    """Step until the episode is cut short; return that step's info."""
    for _ in range(100):
        *_, terminated, truncated, info = env.step(GO)
        assert not terminated
        if truncated:
            return info
    raise AssertionError("no fault")


def test_an_episode_and_what_may_end_it(controller, film, monkeypatch):
    env = gym.make(ID, robot_ip=HOST, camera=film, auto_recover=True, **SLOW_MACHINE)
    try:
        obs, info = env.reset(seed=3)
        assert obs in env.observation_space and obs.std() > 0
        goal = Lab.read(FAST).reset_pose
        np.testing.assert_allclose(controller.state()["q"], goal, atol=3e-3)
        x, y = info["target"]
        assert 17 <= x <= 143 and 17 <= y <= 73
        for _ in range(25):
            obs, reward, terminated, truncated, info = env.step(GO)
        assert not terminated and not truncated and "fault" not in info
        assert reward == 4.0 and info["success"] and info["is_success"]
        assert {"control_period", "jitter", "camera_age", "missed_deadlines"} <= set(info)
        assert controller.state()["q"][0] > goal[0] + 0.1

        with pytest.raises(ValueError, match="finite"):
            env.step(np.full(5, np.nan, np.float32))
        assert standing(controller)
        # Unlocked after its five seconds, and the arm goes on from a new start only.
        controller.inject("protective_stop")
        assert until_fault(env)["fault"] == "protective_stop"
        assert standing(controller) and controller.state()["runtime_state"] == 1
        with pytest.raises(ArmFault):
            env.step(GO)
        env.reset()
        np.testing.assert_allclose(controller.state()["q"], goal, atol=3e-3)
        env.step(GO)

        os.kill(env.unwrapped._arm.pid, signal.SIGKILL)
        assert until_fault(env)["fault"] == "worker_died"
        assert standing(controller)  # by the watchdog
        env.reset()
        controller.inject("emergency_stop")
        assert until_fault(env)["fault"] == "emergency_stop"
        with pytest.raises(ArmFault, match="power on"):
            env.reset()  # not even with auto_recover
    finally:
        env.close()
    assert standing(controller)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("injected", "arguments", "fault"),
    [
        ("stall", {"seconds": 5.0}, "stale_state"),
        ("socket_close", {}, "connection_lost"),
        ("script_death", {}, "program_stopped"),
        ("power_off", {}, "power_off"),
    ],
)
def test_each_fault_has_its_name_and_stops_the_arm(controller, film, injected, arguments, fault):
    env = make(robot_ip=HOST, camera=film, **SLOW_MACHINE)
    try:
        env.reset()
        env.step(GO)
        controller.inject(injected, **arguments)
        assert until_fault(env)["fault"] == fault
        assert standing(controller)
        if fault != "power_off":
            env.unwrapped.recover()
            env.reset()
    finally:
        env.close()


def test_a_camera_that_ceases_to_send_stops_the_arm(controller):
    limits = {"limits": FAST, "stale_after": 0.5}  # 1 s for the camera
    with CameraProcess(HOST) as camera:
        env = make(robot_ip=HOST, camera=camera.url, **limits)
        try:
            env.reset()
            env.step(GO)
            camera.freeze()
            assert until_fault(env)["fault"] == "stale_camera"
            assert standing(controller)
            with pytest.raises(ArmFault, match="stale_camera"):
                env.reset()
            camera.thaw()
            env.unwrapped.recover()
            env.reset()
            assert "fault" not in env.step(GO)[-1]
        finally:
            env.close()


SCRIPT = """
import signal
import sys
import numpy as np
from distraction_gym.envs.ur5_real.env import make

if __name__ == "__main__":
    # As in a terminal: tests that run in the background are started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    host, film = sys.argv[1:]
    limits = {"safety": {"speed": 2.0, "tool_speed": 2.0, "reset_speed": 2.0}}
    env = make(robot_ip=host, camera=film, limits=limits, stale_after=2.0)
    env.reset()
    print("moves", flush=True)
    while True:
        env.step(np.array([0.1, 0, 0, 0, 0], np.float32))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl_c"])
def test_the_end_of_the_training_process_stops_the_arm(controller, film, tmp_path, number):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    child = subprocess.Popen(
        [sys.executable, str(script), HOST, film],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"moves\n"
        time.sleep(0.3)
        assert np.abs(controller.state()["qd"]).max() > 0.05
        child.send_signal(number)
        assert child.wait(20) != 0
        assert standing(controller)
        assert controller.state()["runtime_state"] == 1
    finally:
        child.kill()
        child.wait()


def test_a_dry_run_moves_nothing(controller, film, tmp_path):
    before, log = controller.state()["q"], tmp_path / "log.jsonl"
    env = make(robot_ip=HOST, camera=film, dry_run=True, log=str(log), **SLOW_MACHINE)
    try:
        env.reset()
        env.step(GO)
    finally:
        env.close()
    assert controller.state()["q"] == before and "uploads" not in controller.state()["counts"]
    assert '"event": "drive"' in log.read_text()


def test_what_is_in_the_way_is_said_before_anything_moves(controller, film):
    controller.inject("local_control")
    with pytest.raises(ArmFault, match="remote control"):
        make(robot_ip=HOST, camera=film)
    controller.inject("remote_control")
    controller.inject("protective_stop")
    with pytest.raises(ArmFault, match="5s"):
        dashboard.unlock_protective_stop(HOST, wait=0.0)
    with pytest.raises(ArmFault) as raised:
        make(robot_ip=HOST, camera=film)
    assert raised.value.name == "protective_stop"


def test_check_looks_first_and_moves_five_millimetres(controller, film, tmp_path, capsys):
    command = ["ur5", "check", f"--robot-ip={HOST}", f"--camera={film}"]
    command += [f"--picture={tmp_path / 'seen.png'}", "--stale-after=2"]
    assert main([*command, "--no-move"]) == 0
    said = capsys.readouterr().out
    assert "get serial number" in said and "the red disc fills" in said and "limits: the" in said
    assert cv2.imread(str(tmp_path / "seen.png")).shape == (360, 640, 3)
    assert "move" not in said and "uploads" not in controller.state()["counts"]
    assert "[0.0, 0.0, 0.0] mm from it" in said.replace("-0.0", "0.0") and "warning" not in said
    assert main([*command, "--no-move", "--robot=ur5"]) == 0
    assert "is this a ur5," in capsys.readouterr().out

    before = controller.state()["q"]
    assert main(command) == 0
    rose = float(capsys.readouterr().out.split("up by ")[1].split(" mm")[0])
    assert rose == pytest.approx(5, abs=1.5)
    np.testing.assert_allclose(controller.state()["q"], before, atol=3e-3)

    controller.inject("local_control")
    assert main(command) == 2
    assert "switch it to remote control" in capsys.readouterr().err


def test_no_arm_moves_without_an_address_and_consent(monkeypatch):
    with pytest.raises(NotAllowed, match="robot_ip='192"):
        gym.make(ID)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(NotAllowed, match="unattended=True"):
        make(robot_ip="192.0.2.1")
    assert allow("192.0.2.1", Lab(), unattended=True) == "192.0.2.1"
    assert allow("127.0.0.2", Lab(), unattended=False) == "127.0.0.2"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("distraction_gym.envs.ur5_real.lab.described", lambda *_: "")
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(NotAllowed, match="nobody allowed"):
        allow("robot.example.org", Lab(), unattended=False)
    monkeypatch.setattr("builtins.input", lambda _: "move")
    assert allow("192.0.2.1", Lab(), unattended=False) == "192.0.2.1"


def test_limits_come_from_a_file(tmp_path):
    path = tmp_path / "limits.json"
    path.write_text('{"safety": {"speed": 0.3}, "task": {"speed": 1.0, "acceleration": 1.0}}')
    lab = Lab.read(path)
    assert (lab.safety.speed, lab.task.speed) == (0.3, 0.3)
    assert lab.safety.acceleration == lab.task.acceleration == 1.0
    assert lab.reset_pose == Lab().reset_pose
    for wrong in (
        {"sfety": {}},
        {"safety": {"sped": 1}},
        {"reset_pose": [0]},
        {"safety": {"speed": -1}},
    ):
        with pytest.raises(NotAllowed, match="limits"):
            Lab.read(wrong)
    with pytest.raises(NotAllowed, match=r"none\.json"):
        Lab.read(tmp_path / "none.json")


def test_the_camera_keeps_its_newest_picture(film):
    with pytest.raises(CameraError, match="does not open"):
        Camera("no_such.avi")
    camera = Camera(film)
    try:
        frame, age = camera.newest()
        assert frame.shape == (360, 640, 3) and age >= 0
        assert frame[180, 320, 0] > 200 > 60 > frame[180, 320, 2]  # red, in RGB
        give_up = time.monotonic() + 10
        while camera.newest()[0] is frame:  # it plays on
            assert time.monotonic() < give_up
    finally:
        camera.close()
    _, age = camera.newest()
    time.sleep(0.02)
    assert camera.newest()[1] >= age + 0.02


def test_every_fourth_pixel_of_the_papers_camera_is_taken():
    frame = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    np.testing.assert_array_equal(reduced(frame), frame[::4, ::4])
    assert reduced(frame[:, :480]).shape == (90, 160, 3)


def test_the_pace_has_absolute_deadlines_and_warns_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    pace = Pace(0.04)
    for _ in range(10):
        measured = pace.begin()
        now[0] += 0.01
        pace.wait()
    assert now[0] == pytest.approx(0.4) and measured["missed_deadlines"] == 0
    assert measured["jitter"] == pytest.approx(0)
    now[0] += 0.1
    assert pace.begin() == pytest.approx(
        {"control_period": 0.14, "jitter": 0.1, "missed_deadlines": 1}
    )
    with pytest.warns(UserWarning, match="cannot hold 25 steps per second") as caught:
        for _ in range(WINDOW):
            pace.wait()
            now[0] += 0.1
            pace.begin()
    assert len(caught) == 1
    pace.restart()
    assert pace.begin()["missed_deadlines"] == 0
