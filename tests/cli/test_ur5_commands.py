"""`distraction-gym ur5 simulate`."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from ur5_lab import own_address

from distraction_gym.cli import main
from distraction_gym.envs.ur5.controller.process import FAULTS_PORT, SERVING, ask
from distraction_gym.envs.ur5.task import RESET_POSE

HOST = own_address(51)


def test_simulate_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "distraction_gym", "ur5", "simulate"]
    command += [f"--host={HOST}", "--no-camera", "--body=lag", "--speed-factor=2"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        said = child.stdout.readline()
        assert said.startswith(SERVING)
        assert "never a safety function" in said
        np.testing.assert_allclose(ask(HOST, FAULTS_PORT, {"joints": True})["joints"], RESET_POSE)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--host=0.0.0.0", "loopback"),
        ("--version=10.7.0", "PolyScope X"),
        ("--speed-factor=0", "above 0"),
    ],
)
def test_wrong_options_are_named(
    option: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ur5", "simulate", "--no-camera", "--body=lag", option]) == 2
    assert message in capsys.readouterr().err
