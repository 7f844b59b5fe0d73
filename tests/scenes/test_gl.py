"""Choosing a backend, and the two ways in which a GL driver ends or hangs a process."""

import gc
import importlib.util
import os
import subprocess
import sys

import pytest

from distraction_gym.errors import RenderingUnavailable
from distraction_gym.scenes import gl

pytest.importorskip("mujoco")
pytestmark = pytest.mark.render

_MODEL = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"
_LEARN = """
import torch
layer = torch.nn.Linear(2, 2)
optimizer = torch.optim.Adam(layer.parameters())
layer(torch.ones(2)).sum().backward()
optimizer.step()
env.step(env.action_space.sample())
print("done")
"""
_OURS = """
import gymnasium as gym, distraction_gym
env = gym.make("distraction_gym/dmcgb-walker_walk-clean-v0", disable_env_checker=True)
env.reset(seed=0)
"""
# A context of somebody else's is there before this package is loaded.
_THEIRS = """
import sys
import gymnasium as gym
env = gym.make("InvertedPendulum-v5", render_mode="rgb_array", width=84, height=84)
env = gym.wrappers.AddRenderObservation(env)
env.reset(seed=0)
assert "triton" not in sys.modules
from distraction_gym.wrappers import DistractionWrapper
env = DistractionWrapper(env, "clean")
env.reset()
"""


def make_scene():
    from distraction_gym.scenes.mujoco import MujocoScene

    mujoco = gl.load_mujoco()
    model = mujoco.MjModel.from_xml_string(_MODEL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return MujocoScene(model, data, image_size=16)


@pytest.mark.slow
@pytest.mark.parametrize("start", [_OURS, _THEIRS], ids=["ours", "theirs"])
def test_an_optimiser_after_a_frame_does_not_end_the_process(start):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    environment = {**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    done = subprocess.run(
        [sys.executable, "-c", start + _LEARN], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_egl_comes_first_then_osmesa(monkeypatch):
    monkeypatch.setattr(gl, "_egl_devices", lambda: 1)
    assert gl.choose_backend() == "egl"
    monkeypatch.setattr(gl, "_egl_devices", lambda: 0)
    monkeypatch.setattr(gl, "_library", lambda backend: object() if backend == "osmesa" else None)
    assert gl.choose_backend() == "osmesa"
    monkeypatch.setattr(gl, "_library", lambda backend: None)
    assert gl.choose_backend() is None
    assert gl._egl_devices() == 0


def test_the_users_choice_stands(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    gl.load_mujoco()
    assert os.environ["MUJOCO_GL"] == "glfw"


def test_no_backend_names_the_doctor(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    monkeypatch.setitem(sys.modules, "mujoco.osmesa", None)  # as if it could not be imported
    with pytest.raises(RenderingUnavailable, match="distraction-gym doctor"):
        gl.make_context(8, 8)


def test_a_forked_child_is_told_instead_of_hanging(monkeypatch):
    monkeypatch.setattr(gl, "_first_process", os.getpid() + 1)
    with pytest.raises(RenderingUnavailable, match="spawn"):
        gl.make_context(8, 8)


def test_the_collector_waits_while_our_context_is_current():
    gl.shared.take(8, 8)
    try:
        with gl.shared.current():
            assert not gc.isenabled()
            with gl.shared.current():
                pass
            assert not gc.isenabled()
        assert gc.isenabled()
        gc.disable()
        with gl.shared.current():
            pass
        assert not gc.isenabled()  # as the user had it
    finally:
        gc.enable()
        gl.shared.release()


def test_what_a_fork_inherits_neither_draws_nor_hangs(monkeypatch):
    scene = make_scene()
    scene.render()
    canvas = scene._canvas
    with monkeypatch.context() as child:
        child.setattr(gl, "_first_process", os.getpid() + 1)
        with pytest.raises(RenderingUnavailable, match="spawn"):
            scene.render()
        users = gl.shared._users
        canvas.close()  # the parent still draws with what this would free
        assert gl.shared._users == users
    canvas._is_open = True
    scene.close()
