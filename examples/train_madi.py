"""Train MaDi on the clean task, save it, load it, and let it act under video."""

import argparse
from pathlib import Path

import gymnasium as gym
from stable_baselines3.common.env_util import make_vec_env

from distraction_gym import env_id
from distraction_gym.agents import MaDi
from distraction_gym.agents.common.presets import RUN_KEYS, load_preset

CLEAN, HARD = (env_id("mini", "reach", mode) for mode in ("clean", "video_hard"))
preset = load_preset("madi", CLEAN)  # small networks: the defaults are the papers', for 84x84

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=preset["n_timesteps"])
parser.add_argument("--out", type=Path, default=Path("madi-reach.zip"))
args = parser.parse_args()

settings = {key: value for key, value in preset.items() if key not in RUN_KEYS}
for key in ("learning_starts", "catch_up_updates"):  # a short run starts to learn earlier
    settings[key] = min(settings[key], args.steps // 2)
env = make_vec_env(CLEAN, n_envs=preset["n_envs"], seed=0)
model = MaDi("CnnPolicy", env, seed=0, verbose=1, **settings)
model.learn(args.steps)
model.save(args.out)

model = MaDi.load(args.out)
test = gym.make(HARD)
obs, _ = test.reset(seed=42)
total, over = 0.0, False
while not over:
    action, _ = model.predict(obs, deterministic=True)
    obs, reward, terminated, truncated, _ = test.step(action)
    total, over = total + float(reward), terminated or truncated
print(f"return under video it has never seen: {total:.1f}")
