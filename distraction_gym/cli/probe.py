"""Render with the backend named by MUJOCO_GL and print what happened, as JSON.

A module of its own because a broken driver may end the process: `doctor` starts it as a child.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

FRAMES = 50
SIZE = 84


def probe() -> dict[str, Any]:
    """Return the milliseconds per 84x84 frame of walker and the name of the renderer."""
    # With software GL, importing triton after the first GL context ends the process.
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401
    from dm_control import suite
    from OpenGL import GL

    physics = suite.load("walker", "walk", task_kwargs={"random": 0}).physics
    frame = physics.render(SIZE, SIZE, camera_id=0)
    with physics.contexts.gl.make_current() as context:
        renderer = context.call(GL.glGetString, GL.GL_RENDERER)
    start = time.perf_counter()
    for _ in range(FRAMES):
        physics.step()
        physics.render(SIZE, SIZE, camera_id=0)
    spent = time.perf_counter() - start
    return {
        "ms": 1000 * spent / FRAMES,
        "renderer": renderer.decode(),
        "blank": bool(frame.min() == frame.max()),
    }


if __name__ == "__main__":
    print(json.dumps(probe()))
