"""Put distractions on dm_control's tasks through Shimmy's IDs, with masks beside the pictures."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym
import shimmy

from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, ObserveScene
from distraction_gym.wrappers.video import side_by_side

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--env", default="dm_control/finger-turn_easy-v0")
parser.add_argument("--objects", nargs="*", default=["body:spinner", "site:target", "site:tip"])
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--out", type=Path, default=Path("dm_control_env.png"))
args = parser.parse_args()
gym.register_envs(shimmy)

env = ObserveScene(gym.make(args.env), image_size=84, camera=0)
env = DistractionWrapper(env, "video_hard", assets="generated")
everything = AddForegroundMask(env, instances=True)  # whatever is neither sky nor floor
chosen = AddForegroundMask(everything, args.objects)

obs, info = chosen.reset(seed=0)
chosen.action_space.seed(0)
for _ in range(args.steps):
    obs, *_, info = chosen.step(chosen.action_space.sample())
panels = {
    "clean": env.undistorted,
    "video_hard": obs,
    "some objects": info["foreground"],
    "all": env.scene.foreground(env.undistorted),
}
print("in the picture:", *info["instances"]["names"])
chosen.close()

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
