"""Put distractions on an environment whose observations are PyTorch tensors."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np
import torch

from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.wrappers import DistractionWrapper
from distraction_gym.wrappers.video import side_by_side

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--device", default="cpu")
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--out", type=Path, default=Path("torch_env.png"))
args = parser.parse_args()

# In grey, floats in [0, 1], on a device: whatever comes in goes out.
env = gym.wrappers.GrayscaleObservation(MiniEnv("reach", image_size=64))
env = gym.wrappers.DtypeObservation(env, np.float32)
env = gym.wrappers.RescaleObservation(env, np.float32(0.0), np.float32(1.0))
env = gym.wrappers.NumpyToTorch(env, device=args.device)
env = DistractionWrapper(env, "video_hard", assets="generated")

obs, _ = env.reset(seed=0)
for _ in range(args.steps):
    obs, *_ = env.step(torch.zeros(2))
print(f"{type(obs).__name__} {tuple(obs.shape)} {obs.dtype} {obs.device}")
print(f"values {obs.min():.2f} to {obs.max():.2f}")

panels = {"undistorted": env.undistorted, "observed": obs.cpu().numpy()}
cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
