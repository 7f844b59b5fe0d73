"""The xArm7 with its gripper closed: from primitives, or MuJoCo Menagerie's with meshes.

Link offsets, joint limits, joint friction and link masses are those of SMG's model; collisions
are with the same three boxes of the hand whichever model is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from distraction_gym.registry import Registry
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.menagerie import menagerie_folder

mujoco = load_mujoco()

PREFIX = "arm/"
"""What names of the arm's parts begin with in a task's model."""
BASE, HAND = "link_base", f"{PREFIX}link7"
JOINTS = tuple(f"joint{number}" for number in range(1, 8))
CLOSED = 0.85
"""Radians by which the gripper's joints turn from open to closed."""
_ARMATURE = 1.0  # of every joint in SMG's models, and what makes a light arm drag heavy things

# Turns about x by -90 and 90 degrees lead from each link's frame to the next.
_XML = """
<mujoco model="xarm7">
  <compiler angle="radian" autolimits="true"/>
  <default>
    <geom type="capsule" rgba="1 1 1 1" mass="0" contype="0" conaffinity="0"/>
    <joint axis="0 0 1" range="-6.28319 6.28319" frictionloss="1" armature="1"/>
    <default class="black"><geom type="box" rgba=".15 .15 .15 1"/></default>
    <default class="cap"><geom type="cylinder"/></default>
  </default>
  <worldbody>
    <body name="link_base">
      <geom class="cap" size=".063 .06" pos="0 0 .06" mass="1"/>
      <body name="link1" pos="0 0 .267">
        <joint name="joint1" damping="10"/>
        <geom class="cap" size=".046 .075" pos="0 0 -.075" mass=".426"/>
        <geom size=".047" fromto="0 -.05 0 0 .06 0"/>
        <body name="link2" quat="1 -1 0 0">
          <joint name="joint2" range="-2.059 2.0944" damping="10"/>
          <geom size=".046" fromto="0 0 .07 0 -.15 .07" mass=".561"/>
          <geom size=".042" fromto="0 -.15 .07 0 -.19 0"/>
          <body name="link3" pos="0 -.293 0" quat="1 1 0 0">
            <joint name="joint3" damping="5"/>
            <geom class="cap" size=".042 .05" pos="0 0 -.05"/>
            <geom size=".042" fromto="0 0 0 .0525 .02 0" mass=".445"/>
            <body name="link4" pos=".0525 0 0" quat="1 1 0 0">
              <joint name="joint4" range="-.19198 3.927" damping="5"/>
              <geom size=".042" fromto="0 0 -.04 0 0 .06"/>
              <geom size=".04" fromto="0 0 .06 .0775 -.13 .03" mass=".524"/>
              <body name="link5" pos=".0775 -.3425 0" quat="1 1 0 0">
                <joint name="joint5" damping="5"/>
                <geom size=".04" fromto="0 .03 -.21 0 .04 -.06" mass=".186"/>
                <geom size=".038" fromto="0 .04 -.06 0 0 0"/>
                <body name="link6" quat="1 1 0 0">
                  <joint name="joint6" range="-1.69297 3.14159" damping="2"/>
                  <geom size=".037" fromto="0 0 -.01 0 0 .03"/>
                  <geom size=".035" fromto="0 0 .02 .076 .03 .01" mass=".313"/>
                  <body name="link7" pos=".076 .097 0" quat="1 -1 0 0">
                    <joint name="joint7" damping="2"/>
                    <geom class="cap" size=".037 .03" pos="0 0 -.03" rgba=".75 .75 .75 1"/>
                    <geom type="box" size=".034 .045 .045" pos="0 0 .045" mass=".856"/>
                    <geom class="black" size=".008 .005 .03" pos="0 .04 .09" euler=".5 0 0"/>
                    <geom class="black" size=".008 .005 .03" pos="0 -.04 .09" euler="-.5 0 0"/>
                    <geom class="black" size=".015 .015 .034" pos="0 .016 .141" mass=".105"/>
                    <geom class="black" size=".015 .015 .034" pos="0 -.016 .141" mass=".105"/>
                  </body>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""

# Centre and half sizes in link7's frame: the flange, the gripper's body, both fingers.
_COLLIDERS = (
    ((0, 0, -0.013), (0.036, 0.036, 0.013)),
    ((0, 0, 0.045), (0.035, 0.05, 0.055)),
    ((0, 0, 0.141), (0.016, 0.033, 0.034)),
)
_UNSEEN = 4  # a group of geoms that MuJoCo does not draw


def own() -> Any:
    """Return our own arm, an `MjSpec` without meshes."""
    return _with_hand(mujoco.MjSpec.from_string(_XML))


def menagerie() -> Any:
    """Return Menagerie's `ufactory_xarm7`, an `MjSpec` in the same pose and as dragged as ours.

    Raises:
        AssetsMissing: if it is not on this machine.
        MissingExtra: without mujoco-menagerie.
    """
    folder = menagerie_folder("ufactory_xarm7", "arm")
    spec = mujoco.MjSpec.from_file(str(folder / "xarm7.xml"))
    for part in (*spec.actuators, *spec.equalities, *spec.tendons, *spec.keys):
        spec.delete(part)
    for joint in list(spec.joints):
        if joint.name in JOINTS:
            joint.armature = _ARMATURE
        else:
            _freeze(spec, joint)
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    spec.body(BASE).pos = (0, 0, 0)
    return _with_hand(spec)


def _freeze(spec: Any, joint: Any) -> None:
    """Turn a joint of the gripper to where it is closed, and take it out."""
    half = CLOSED / 2
    joint.parent.quat = (math.cos(half), *(math.sin(half) * joint.axis))
    spec.delete(joint)


def _with_hand(spec: Any) -> Any:
    hand = spec.body(HAND.removeprefix(PREFIX))
    for place, size in _COLLIDERS:
        box = hand.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=place, size=size, mass=0)
        box.contype = box.conaffinity = 1
        box.group = _UNSEEN
    return spec


MODELS: Registry[Callable[[], Any]] = Registry("model of the arm")
MODELS.add("own", own)
MODELS.add("menagerie", menagerie)
