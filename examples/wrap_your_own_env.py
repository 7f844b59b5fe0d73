"""Put distractions on an environment that has pictures but no simulator, in three ways."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np

from distraction_gym.wrappers import DistractionWrapper
from distraction_gym.wrappers.video import side_by_side

GREEN = (0, 200, 0)


class Ball(gym.Env):
    """A white ball that wanders over a green table; pictures `(96, 96, 3)` uint8."""

    observation_space = gym.spaces.Box(0, 255, (96, 96, 3), np.uint8)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        """Put the ball somewhere."""
        super().reset(seed=seed)
        self.place = self.np_random.uniform(24, 72, 2)
        return self.picture(), {}

    def step(self, action):
        """Push the ball."""
        self.place = np.clip(self.place + 4 * np.asarray(action), 12, 84)
        return self.picture(), 0.0, False, False, {}

    def picture(self):
        """Draw table and ball."""
        frame = np.full((96, 96, 3), GREEN, np.uint8)
        cv2.circle(frame, self.place.astype(int).tolist(), 12, (255, 255, 255), -1)
        return frame


def ball(frame, env):
    """Return the mask `(H, W)`: True where the picture is to be kept."""
    rows, columns = np.mgrid[:96, :96]
    x, y = env.unwrapped.place.astype(int)
    return (columns - x) ** 2 + (rows - y) ** 2 <= 12**2


FOREGROUNDS = {
    "mask function": ball,
    "color key": {"key": {"color": list(GREEN), "tolerance": 20}},
    "blend": {"blend": 0.4},
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--out", type=Path, default=Path("own_env.png"))
args = parser.parse_args()

panels = {}
for title, foreground in FOREGROUNDS.items():
    env = DistractionWrapper(Ball(), "video_hard", foreground=foreground, assets="generated")
    frame, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(args.steps):
        frame, *_ = env.step(env.action_space.sample())
    panels.setdefault("clean", env.undistorted)
    panels[title] = frame
    changed = (frame != env.undistorted).any(axis=-1).mean()
    print(f"{title}: {changed:.0%} of the pixels differ from the clean picture")

cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
print(f"wrote {args.out}")
