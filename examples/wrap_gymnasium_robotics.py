"""Put distractions on a Gymnasium-Robotics task, and say that its table is background too."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym
import gymnasium_robotics

from distraction_gym.wrappers import DistractionWrapper, ObserveScene
from distraction_gym.wrappers.video import side_by_side

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--env", default="AdroitHandPen-v1")
parser.add_argument("--table", nargs="*", default=["body:table"], help="floor as well")
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--out", type=Path, default=Path("robotics_env.png"))
args = parser.parse_args()
gym.register_envs(gymnasium_robotics)

panels = {}
for mode in ("clean", "video_easy", "video_hard", "sprites"):
    env = gym.make(args.env)
    env = ObserveScene(env, image_size=84, extra_background={"floor": args.table})
    env = DistractionWrapper(env, mode, assets="generated")
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(args.steps):
        obs, *_ = env.step(env.action_space.sample())
    panels[mode] = obs
    print(f"{mode}: observations {obs.shape} {obs.dtype}")
    env.close()

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
