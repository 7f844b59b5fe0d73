"""The room: a screen on a stand before the arm, a disc on the screen, a camera on the wrist.

Where the screen stands and what the camera sees is our choice: MaDi's code does not tell. The disc
is a thin thing before the screen, so that whatever plays there plays behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5 import robot, task
from distraction_gym.envs.ur5.kinematics import arm_named
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

TIMESTEP = 0.002
CAMERA, ROOM = f"{robot.PREFIX}wrist", "room"
"""The camera of the task, and one that sees the arm at work."""
SCREEN, TARGET = "screen", "target"
"""Texture, material and geom of the screen; body and geom of the disc."""
CENTER = (0.1, -0.75, 0.36)
"""Of the upright screen's face, above the shoulder: 40 cm before where the camera begins."""
SIZE = (0.487, 0.274)
"""Width and height of the screen, m: 22 inches of 16:9."""
FOVY = 43.3
"""Degrees from the picture's lower edge to its upper one: a webcam's, 70 from left to right."""
_MONITOR = "monitor"
_EYE = 0.03  # metres from the flange to the camera, along its axis
_UNIT = SIZE[0] / task.SHAPE[1]  # metres per unit of the drawing
TEXELS = (256, 256)
"""Height and width of the screen's texture."""

# What the screen emits and what the lamp adds make 1: it shows a texture's very colours.
_XML = """
<mujoco model="ur5">
  <compiler angle="degree" autolimits="true"/>
  <option timestep="{timestep}" integrator="implicitfast"/>
  <visual>
    <headlight active="0"/>
    <map znear=".01"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".72 .76 .8" rgb2=".5 .52 .54"
             width="256" height="256"/>
    <texture name="floor" type="2d" builtin="checker" rgb1=".42 .36 .3" rgb2=".5 .43 .36"
             width="256" height="256"/>
    <texture name="screen" type="2d" builtin="flat" rgb1="1 1 1" width="{texels}"
             height="{texels}"/>
    <material name="floor" texture="floor" texrepeat="4 4" texuniform="true" specular="0"
              reflectance="0"/>
    <material name="screen" texture="screen" emission=".36" specular="0"/>
    <material name="target" rgba="1 0 0 1" emission="1" specular="0"/>
    <material name="frame" rgba=".1 .1 .11 1" specular=".1"/>
  </asset>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <light pos=".6 1 2" dir="-.25 -.6 -.9" directional="true" ambient=".38 .38 .38"
           diffuse=".5 .5 .5" specular=".1 .1 .1" castshadow="false"/>
    <camera name="room" pos="1.05 .75 1.05" xyaxes="-.72 .69 0 -.31 -.32 .9" fovy="45"/>
    <geom name="floor" type="plane" size="3 3 .1" material="floor"/>
    <body name="monitor" pos="{x} {y} {z}" xyaxes="-1 0 0 0 0 1">
      <geom name="screen" type="box" size="{half_width} {half_height} .004" pos="0 0 -.004"
            material="screen"/>
      <geom name="case" type="box" size="{case_width} {case_height} .012" pos="0 0 -.014"
            material="frame"/>
      <geom name="stand" type="box" size=".025 {half_stand} .01" pos="0 -{half_stand} -.036"
            material="frame"/>
      <geom name="foot" type="box" size=".12 .006 .08" pos="0 {foot} -.02" material="frame"/>
    </body>
    <body name="target" mocap="true" xyaxes="-1 0 0 0 0 1">
      <geom name="target" type="cylinder" size="{radius} .0005" material="target"/>
    </body>
  </worldbody>
</mujoco>
"""


def build(name: str = "ur5e", model: str = "own") -> Any:
    """Compile the task's `mujoco.MjModel`; the world's frame is the arm's base.

    Args:
        name: `"ur5e"` or `"ur5"`.
        model: A name in `robot.MODELS`.

    Raises:
        UnknownName: for an arm or a model that does not exist.
        AssetsMissing: for Menagerie's arm where it is not on this machine.
        ValueError: for an arm that Menagerie does not have.
    """
    kind = arm_named(name)
    x, y, above = CENTER
    z = kind.d[0] + above
    text = _XML.format(
        timestep=TIMESTEP,
        texels=TEXELS[0],
        x=x,
        y=y,
        z=z,
        half_width=SIZE[0] / 2,
        half_height=SIZE[1] / 2,
        case_width=SIZE[0] / 2 + 0.012,
        case_height=SIZE[1] / 2 + 0.012,
        half_stand=z / 2,
        foot=0.006 - z,
        radius=task.RADIUS * _UNIT,
    )
    spec = mujoco.MjSpec.from_string(text)
    arm = robot.MODELS[model](kind)
    _add_camera(arm)
    spec.worldbody.add_frame().attach_body(arm.body(robot.BASE), robot.PREFIX, "")
    return spec.compile()


def place_target(data: Any, x: float, y: float) -> None:
    """Put the disc on the screen; the next `mj_forward` draws it there.

    Args:
        data: The model's `mujoco.MjData`.
        x: Of its centre, from the picture's left edge, on a screen of 160 x 90.
        y: From its lower edge.
    """
    height, width = task.SHAPE
    right, up = (x - width / 2) * _UNIT, (y - height / 2) * _UNIT
    mocap = data.model.body(TARGET).mocapid[0]
    data.mocap_pos[mocap] = data.model.body(_MONITOR).pos + np.array([-right, 0.001, up])


def joint_addresses(model: Any) -> npt.NDArray[np.int64]:
    """Return where the six joints' angles are in `qpos`."""
    return np.array([model.joint(robot.PREFIX + name).qposadr[0] for name in robot.JOINTS])


def _add_camera(arm: Any) -> None:
    """Mount the camera on wrist 3: it looks where the flange points, upright at the reset pose."""
    flange = arm.site("flange")
    mount = flange.parent.add_frame(pos=flange.pos, quat=flange.quat)
    eye = flange.parent.add_camera(name="wrist", fovy=FOVY, pos=(0, 0, _EYE), quat=(0, 0, 1, 0))
    eye.set_frame(mount)
    box = flange.parent.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(0.035, 0.012, 0.012),
        pos=(0, 0, _EYE - 0.015),
        rgba=(0.12, 0.12, 0.13, 1),
        mass=0,
        contype=0,
        conaffinity=0,
    )
    box.set_frame(mount)
