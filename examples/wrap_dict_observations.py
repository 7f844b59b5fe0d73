"""Put distractions on one picture of several: two cameras and a state in one observation."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np

from distraction_gym.wrappers import DistractionWrapper
from distraction_gym.wrappers.video import side_by_side


class Cameras(gym.Env):
    """A red box on a belt, seen from above (bytes) and from the side (floats, channels first)."""

    observation_space = gym.spaces.Dict(
        above=gym.spaces.Box(0, 255, (64, 64, 3), np.uint8),
        side=gym.spaces.Box(0.0, 1.0, (3, 64, 64), np.float32),
        place=gym.spaces.Box(0.0, 64.0, (2,), np.float64),
    )
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        """Put the box somewhere."""
        super().reset(seed=seed)
        self.place = self.np_random.uniform(16, 48, 2)
        return self.observe(), {}

    def step(self, action):
        """Push the box."""
        self.place = np.clip(self.place + 2 * np.asarray(action), 8, 56)
        return self.observe(), 0.0, False, False, {}

    def observe(self):
        """Draw both views."""
        above, side = (np.zeros((64, 64, 3), np.uint8) for _ in range(2))
        x, y = self.place.astype(int)
        above[y - 6 : y + 6, x - 6 : x + 6] = (255, 0, 0)
        side[40:52, x - 6 : x + 6] = (255, 0, 0)
        side = (side.transpose(2, 0, 1) / 255).astype(np.float32)
        return {"above": above, "side": side, "place": self.place.copy()}


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--out", type=Path, default=Path("dict_env.png"))
args = parser.parse_args()

panels = {}
black = {"key": {"color": [0, 0, 0], "tolerance": 10}}
for camera in ("above", "side"):
    env = DistractionWrapper(
        Cameras(), "video_hard", key=camera, foreground=black, assets="generated"
    )
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(args.steps):
        obs, *_ = env.step(env.action_space.sample())
    clean = env.unwrapped.observe()
    disturbed = [name for name, value in obs.items() if (value != clean[name]).any()]
    print(f"key={camera!r} disturbs {disturbed}; {obs[camera].shape} {obs[camera].dtype}")
    side = np.rint(255 * obs["side"].transpose(1, 2, 0)).astype(np.uint8)
    panels[f"{camera}: above"], panels[f"{camera}: side"] = obs["above"], side

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
