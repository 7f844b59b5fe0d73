"""Put distractions on a Gymnasium MuJoCo task: masks come exact from the renderer."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym

from distraction_gym.wrappers import DistractionWrapper, ObserveScene, StackFrames
from distraction_gym.wrappers.record import newest_frame
from distraction_gym.wrappers.video import side_by_side

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--env", default="HalfCheetah-v5")
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--out", type=Path, default=Path("mujoco_env.png"))
args = parser.parse_args()

panels = {}
for mode in ("clean", "color_hard", "video_easy", "video_hard"):
    env = gym.make(args.env)
    env = ObserveScene(env, image_size=84, camera="track")  # states -> pictures
    env = DistractionWrapper(env, mode, assets="generated")
    env = StackFrames(env, 3)  # after the distractions: each frame shows its own video frame
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(args.steps):
        obs, *_ = env.step(env.action_space.sample())
    panels[mode] = newest_frame(obs)
    print(f"{mode}: observations {obs.shape} {obs.dtype}")
    env.close()

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
