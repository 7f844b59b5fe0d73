"""Film an agent: clean | distracted | mask | what the network sees."""

import argparse
from pathlib import Path

import gymnasium as gym

from distraction_gym import env_id
from distraction_gym.agents import MaDi
from distraction_gym.agents.common.presets import RUN_KEYS, load_preset
from distraction_gym.bench.views import agent_view
from distraction_gym.wrappers import RecordComparison

HARD = env_id("mini", "reach", "video_hard")


def untrained(env):
    preset = load_preset("madi", HARD)
    settings = {key: value for key, value in preset.items() if key not in RUN_KEYS}
    return MaDi("CnnPolicy", env, seed=0, **{**settings, "buffer_size": 1})


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument(
    "--model", type=Path, help="what train_madi.py saved; default: an untrained one"
)
parser.add_argument("--steps", type=int, default=50)
parser.add_argument("--out", type=Path, default=Path("madi.mp4"))
args = parser.parse_args()

env = RecordComparison(gym.make(HARD), str(args.out))
model = MaDi.load(args.model) if args.model else untrained(env)
env.watch(agent_view(model))

obs, _ = env.reset(seed=42)
for _ in range(args.steps):
    action, _ = model.predict(obs, deterministic=True)
    obs, _, terminated, truncated, _ = env.step(action)
    if terminated or truncated:
        obs, _ = env.reset()
env.close()  # the file is complete now
print(f"wrote {args.out}")
