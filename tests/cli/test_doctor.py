"""`doctor` survives what it looks for."""

import subprocess

import pytest

from distraction_gym.cli import doctor
from distraction_gym.cli.doctor import Probe, probe_backend


def child(code, out="", err=""):
    return lambda *args, **kwargs: subprocess.CompletedProcess(args, code, out, err)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (child(-11), "the process died of signal 11"),
        (child(1, err="a\nImportError: no libEGL\n"), "ImportError: no libEGL"),
        (child(3), "exit status 3"),
        (child(0, '{"ms": 1.0, "renderer": "x", "blank": true}'), "draws nothing but one colour"),
    ],
)
def test_a_backend_that_fails_is_a_message(monkeypatch, run, message):
    monkeypatch.setattr(doctor.subprocess, "run", run)
    probe = probe_backend("egl")
    assert probe.ms is None and message in probe.message


def test_no_backend_is_the_only_failure(monkeypatch, capsys):
    pytest.importorskip("dm_control")
    monkeypatch.setattr(doctor, "probe_backend", lambda name: Probe(name, None, "broken"))
    assert doctor.doctor() == 1
    assert "apt-get install" in capsys.readouterr().out
    monkeypatch.setattr(
        doctor,
        "probe_backend",
        lambda name: Probe(name, {"egl": 9.0, "osmesa": 5.0}.get(name), "a renderer"),
    )
    assert doctor.doctor() == 0
    assert capsys.readouterr().out.endswith("Type:  export MUJOCO_GL=osmesa\n")


def test_without_a_simulator_there_is_nothing_to_fail(monkeypatch, capsys):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert doctor.doctor() == 0
    assert "distraction-gym[dmc]" in capsys.readouterr().out


@pytest.mark.render
def test_a_real_backend_draws():
    pytest.importorskip("dm_control")
    probes = [probe_backend(name) for name in ("egl", "osmesa")]
    assert any(probe.ms and probe.ms > 0 for probe in probes), probes
