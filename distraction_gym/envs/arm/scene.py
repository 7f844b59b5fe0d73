"""A task's model: the arm on its pedestal, a table with things on it, cameras, and a look."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from distraction_gym.envs.arm import objects, robot
from distraction_gym.envs.arm.tabletops import TABLETOPS
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.typing import RGB, Frame

mujoco = load_mujoco()

TIMESTEP = {"pegbox": 0.001}
"""Seconds of a physics step where they are not the usual `DEFAULT_TIMESTEP` (SMG's models)."""
DEFAULT_TIMESTEP = 0.002
BASE, BASES = (1.09, 0.3, 0.72), {"hammerall": (1.05, 0.3, 0.72)}
GRASP, GRASPS = 0.16, {"hammerall": 0.17}
"""Metres from link7 to the site `grasp`."""
_TEXTURE_SIDE = 256


class Look(NamedTuple):
    """The colour of background and blocks, and what the table's top is made of."""

    color: RGB
    table: str


LOOKS = {
    "clean": Look((1.0, 1.0, 1.0), "white"),
    "test1": Look((1.0, 0.5, 1.0), "chipboard"),
    "test2": Look((0.5, 0.9, 0.8), "carpet"),
    "test3": Look((0.5, 0.1, 0.1), "concrete"),
    "test4": Look((0.1, 0.5, 0.8), "wood"),
    "test5": Look((0.3, 0.2, 0.0), "sponge"),
}
BEHIND = {"sky": ["floor", "pedestal"], "floor": ["table"]}
"""What the modes of video hide: the easy one all that is beyond the table, the hard one it too."""

CAMERAS = ("third_person", "first_person")
# SMG's code draws the first person's view with 640 x 640 pixels and keeps the lower right 448 x 448
# of it, the upper quarter in black: a camera whose axis is 96 pixels off, behind a black board.
_FOCAL, _WINDOW, _OFF_AXIS = 320 / math.tan(math.radians(12.5)), 448, 96
_EYE = ((0.15, -0.05, -0.25), (3.14159, 0.2, -1.5708))  # in the frame of link7; radians
_NEAR = 0.05  # metres from the eye to the board, which hides what is 16 pixels above the axis

_HELD = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <default>
    <joint armature="1" damping=".1"/>
    <default class="steel"><geom density="100000" condim="4" rgba=".87 .1 0 1"/></default>
    <default class="unseen"><site size=".01" group="4"/></default>
  </default>
  <worldbody>{thing}</worldbody>
</mujoco>
"""

_XML = """
<mujoco model="arm">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{timestep}" integrator="implicitfast"/>
  <default>
    <joint armature="1" damping=".1"/>
    <default class="wall"><geom type="box" rgba=".8 0 0 1" mass="2" condim="4"/></default>
    <default class="nail"><geom type="cylinder" condim="4"/></default>
    <default class="unseen"><site size=".01" group="4"/></default>
  </default>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1="{color}" width="32" height="32"/>
    <texture name="floor" type="2d" builtin="flat" rgb1="{color}" width="16" height="16"/>
    <texture name="block" type="cube" builtin="flat" rgb1="{color}" width="16" height="16"/>
    <material name="floor" texture="floor" rgba=".2 .3 .3 1" specular="0" shininess="0"/>
    <material name="pedestal" texture="block" rgba=".925 .835 .655 1" shininess=".8"/>
    <material name="block" texture="block" rgba=".2 .5 .2 1" specular="0"/>
    <material name="board" texture="block" rgba=".33 .77 .78 1" specular="0"/>
    <material name="table" texture="table" specular=".2" shininess=".2"/>
    <material name="visor" rgba="0 0 0 1" specular="0"/>
  </asset>
  <worldbody>
    <light directional="true" ambient=".1 .1 .1" diffuse="0 0 0" specular="0 0 0"
           castshadow="false" pos="1.65 0 10" dir="-.57 -.57 -.57"/>
    <light directional="true" ambient=".1 .1 .1" diffuse="0 0 0" specular="0 0 0"
           castshadow="false" pos="0 -4 4" dir="0 1 -.1"/>
    <light directional="true" ambient=".05 .05 .05" diffuse="0 0 0" specular="0 0 0"
           castshadow="false" pos="2.13 1.6 2.5"/>
    <light directional="true" diffuse=".3 .3 .3" castshadow="false" pos="0 0 2" dir=".2 .2 -.8"/>
    <camera name="third_person" pos="2.1 .3 1.4" euler="0 .83 1.57" fovy="50"/>
    <geom name="floor" type="plane" size="1 10 1" pos="1.2 -2 0" material="floor"/>
    <geom name="pedestal" type="box" size=".4 .4 .01" pos=".75 0 .71" material="pedestal"/>
    <geom name="table" type="box" size=".3 .6 .04375" pos="1.555 .3 .53625" material="table"
          friction="1 .005 .0001"/>
    {things}
    <body name="mocap" mocap="true"/>
  </worldbody>
</mujoco>
"""


def build(task: str, look: Look, arm: str, camera: int | str) -> Any:
    """Compile a task's `mujoco.MjModel`.

    Args:
        task: A name in the suite's `TASKS`.
        look: One of `LOOKS`.
        arm: A name in `robot.MODELS`.
        camera: Through which pictures are to be drawn: the first person's has a visor.

    Raises:
        UnknownName: for an arm that does not exist.
        AssetsMissing: for Menagerie's arm where it is not on this machine.
    """
    color = " ".join(map(str, look.color))
    timestep = TIMESTEP.get(task, DEFAULT_TIMESTEP)
    text = _XML.format(color=color, timestep=timestep, things=objects.ON_TABLE[task])
    spec = mujoco.MjSpec.from_string(text)
    _texture(spec, "table", TABLETOPS[look.table](_TEXTURE_SIDE))
    base = spec.worldbody.add_frame(pos=BASES.get(task, BASE))
    base.attach_body(robot.MODELS[arm]().body(robot.BASE), robot.PREFIX, "")
    hand = spec.body(robot.HAND)
    hand.add_site(name="grasp", pos=(0, 0, GRASPS.get(task, GRASP)), group=4)
    _add_eye(hand, visor=camera in (1, CAMERAS[1]))
    if task in objects.HELD:
        name, thing = objects.HELD[task]
        held = mujoco.MjSpec.from_string(_HELD.format(thing=thing))
        hand.add_frame().attach_body(held.body(name), "held/", "")
    _weld(spec)
    return spec.compile()


def _add_eye(hand: Any, visor: bool) -> None:
    """Mount the first person's camera, and perhaps what covers the upper quarter of its view."""
    place, angles = _EYE
    turn = np.empty(4)
    mujoco.mju_euler2Quat(turn, angles, "xyz")
    eye = hand.add_body(name="eye", pos=place, quat=turn)
    camera = eye.add_camera(name=CAMERAS[1])
    camera.resolution, camera.sensor_size = (_WINDOW, _WINDOW), (0.01, 0.01)
    camera.focal_pixel, camera.principal_pixel = (_FOCAL, _FOCAL), (_OFF_AXIS, _OFF_AXIS)
    if visor:
        low = 16 * _NEAR / _FOCAL
        eye.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            name="visor",
            material="visor",
            size=(0.02, 0.01, 0.0001),
            pos=(0, low + 0.01, -_NEAR - 0.0001),
            mass=0,
            contype=0,
            conaffinity=0,
        )


def _texture(spec: Any, name: str, picture: Frame) -> None:
    height, width, channels = picture.shape
    flat = mujoco.mjtTexture.mjTEXTURE_2D
    texture = spec.add_texture(name=name, type=flat, height=height, width=width, nchannel=channels)
    texture.data = picture.tobytes()


def _weld(spec: Any) -> None:
    """Let the hand follow the body `mocap`, in its place and turned alike."""
    weld = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        name1="mocap",
        name2=robot.HAND,
        solimp=(0.9, 0.95, 0.001, 0.5, 2),
        solref=(0.02, 1),
    )
    weld.data[:] = 0  # no anchor, no offset
    weld.data[6] = 1  # no turn
    weld.data[10] = 1  # torque counts as much as force


def relevant(task: str, model: Any) -> list[str]:
    """Return what matters: the arm and the task's things, not table, pedestal and floor."""
    bodies = {model.body(model.geom_bodyid[geom]).name for geom in range(model.ngeom)}
    arm = sorted(name for name in bodies if name.startswith(robot.PREFIX))
    return [*(f"body:{name}" for name in arm), *objects.RELEVANT[task]]
