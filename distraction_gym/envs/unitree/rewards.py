"""RL-ViGen's rewards, of one control step each.

A sensor's frame is the trunk's inertial one, whose axes MuJoCo sorts by moment: of an upright robot
its x axis points up and its z axis forwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

HEIGHT, SPEED = 0.36, 1.0
"""Of the trunk in metres, and forwards in metres per second: no more is asked for."""
STANCE = np.array([0.05, 0.22, -0.8] * 2 + [0.1, 0.68, 0.0] * 2)
"""Joint angles that walking stays close to; 0 is no angle that a knee can have."""
_UP, _AHEAD = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
_AT_MARGIN = 0.1


def stand(model: Any, data: Any) -> float:
    """Return what standing pays: at most 1, below 0 when lying on the side.

    Args:
        model: A `mujoco.MjModel` from `scene.compile_model`.
        data: Its `mujoco.MjData`, with sensors up to date.
    """
    low, high = model.actuator_ctrlrange.T
    effort = _squares(-1.0 + 2.0 * (data.ctrl - low) / (high - low)) / len(low)
    pose = (2.0 * _standing(data) + _rotation(data)[2, 2]) / 3.0
    return float(pose - 0.08 * effort - _tilt(data))


def walk(model: Any, data: Any) -> float:
    """Return what walking along the world's x axis pays: at most 1 (see `stand`)."""
    rotation, velocity = _rotation(data), data.sensor("velocity").data
    pose = (3.0 * _standing(data) + rotation[2, 2] + rotation[0, 0]) / 5.0
    pose -= 0.05 * _squares(data.ctrl - STANCE) / len(STANCE)
    pose -= 0.05 * velocity[2] ** 2 + 0.005 * _squares(data.sensor("spin").data[:2])
    pose -= _tilt(data)
    # dm_control's tolerance, whose linear kind ends where it reaches 0
    move = max(0.0, 1.0 - (1.0 - _AT_MARGIN) * _missing(velocity[0], SPEED, SPEED))
    return float(pose + move + pose * move) / 3.0


def _standing(data: Any) -> float:
    """Return 1 for a trunk that is high enough, less below: a bell with 0.1 at half the height."""
    return _AT_MARGIN ** (_missing(data.body("trunk").xpos[2], HEIGHT, HEIGHT / 2) ** 2)


def _missing(value: float, wanted: float, margin: float) -> float:
    return max(0.0, wanted - value) / margin


def _tilt(data: Any) -> float:
    """Return the penalty of a trunk that is not level and straight ahead."""
    leaning = _squares(data.sensor("x_axis").data - _UP)
    return 0.1 * leaning + 0.05 * _squares(data.sensor("z_axis").data - _AHEAD)


def _rotation(data: Any) -> npt.NDArray[np.float64]:
    return np.asarray(data.body("trunk").xmat).reshape(3, 3)


def _squares(values: npt.NDArray[np.float64]) -> float:
    return float(values @ values)
