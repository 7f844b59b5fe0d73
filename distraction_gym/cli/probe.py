"""Render with the backend named by MUJOCO_GL and print what happened, as JSON.

A module of its own because a broken driver may end the process: `doctor` starts it as a child.
"""

from __future__ import annotations

import json
import time
from typing import Any

from distraction_gym.scenes import gl

FRAMES = 50
SIZE = 84


def probe() -> dict[str, Any]:
    """Return the milliseconds per 84x84 frame of walker and the name of the renderer."""
    gl.load_mujoco()
    from dm_control import suite

    from distraction_gym.scenes.mujoco import MujocoScene

    renderer = renderer_name()
    physics = suite.load("walker", "walk", task_kwargs={"random": 0}).physics
    scene = MujocoScene(physics.model.ptr, physics.data.ptr, image_size=SIZE)
    frame = scene.render()
    start = time.perf_counter()
    for _ in range(FRAMES):
        physics.step()
        scene.render()
    spent = time.perf_counter() - start
    scene.close()
    return {
        "ms": 1000 * spent / FRAMES,
        "renderer": renderer,
        "blank": bool(frame.min() == frame.max()),
    }


def renderer_name() -> str:
    """Return the driver's name for what draws: a graphics card, or llvmpipe (the processor)."""
    gl.load_mujoco()
    gl.shared.take(SIZE, SIZE)
    from OpenGL import GL  # only now has mujoco told PyOpenGL its platform

    with gl.shared.current():
        name: bytes = GL.glGetString(GL.GL_RENDERER)
    gl.shared.release()
    return name.decode()


if __name__ == "__main__":
    print(json.dumps(probe()))
