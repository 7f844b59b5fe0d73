"""From a plain `mujoco.MjModel` to an environment under distractions, in one line."""

import argparse
from pathlib import Path

import cv2
import mujoco

from distraction_gym.envs import ModelEnv
from distraction_gym.wrappers import DistractionWrapper, ObserveScene
from distraction_gym.wrappers.video import side_by_side

ARM = """
<mujoco>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".6 .7 .9" rgb2=".2 .2 .4"
             width="64" height="64"/>
    <texture name="tiles" type="2d" builtin="checker" rgb1=".5 .5 .5" rgb2=".7 .7 .7"
             width="64" height="64"/>
    <material name="tiles" texture="tiles" texrepeat="6 6"/>
  </asset>
  <worldbody>
    <light pos="1 -1 3" dir="-.3 .3 -1"/>
    <camera name="front" pos="0 -2 1.2" xyaxes="1 0 0 0 .4 1"/>
    <geom name="ground" type="plane" size="3 3 .1" material="tiles"/>
    <body name="upper" pos="0 0 .6">
      <joint name="shoulder" axis="0 1 0" damping=".5"/>
      <geom type="capsule" size=".06" fromto="0 0 0 .4 0 0" rgba=".9 .4 .1 1"/>
      <body name="lower" pos=".4 0 0">
        <joint name="elbow" axis="0 1 0" damping=".5"/>
        <geom type="capsule" size=".05" fromto="0 0 0 .3 0 .2" rgba=".9 .7 .1 1"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder" ctrlrange="-4 4"/>
    <motor joint="elbow" ctrlrange="-2 2"/>
  </actuator>
</mujoco>
"""

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--xml", type=Path, help="a model of yours; default: a small arm")
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--out", type=Path, default=Path("mujoco_model.png"))
args = parser.parse_args()


def height(model, data):
    """Pay for raising the last body."""
    return data.xpos[-1, 2]


panels = {}
for mode in ("clean", "video_hard", "camera_dcs", "light", "solids"):
    model = str(args.xml) if args.xml else mujoco.MjModel.from_xml_string(ARM)
    env = ModelEnv(model, reward=height, noise=0.1, frame_skip=10)
    env = DistractionWrapper(ObserveScene(env), mode, assets="generated")
    env.action_space.seed(0)
    panels[mode], _ = env.reset(seed=0)
    total = 0.0
    for _ in range(args.steps):
        panels[mode], reward, *_ = env.step(env.action_space.sample())
        total += reward
    print(f"{mode}: return {total:.2f}")  # the same in every mode: physics never sees them
    env.close()

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
