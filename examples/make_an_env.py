"""Make an environment by its ID, play it at random, and see what the episode drew."""

import argparse

import gymnasium as gym

import distraction_gym

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--suite", default="mini", help="mini, or dmcgb (needs a renderer)")
parser.add_argument("--task", default="reach")
parser.add_argument("--mode", default="video_hard")
parser.add_argument("--steps", type=int, default=50)
args = parser.parse_args()

# "generated" footage needs no download; a folder with DMC-GB's clips gives the papers' modes.
name = distraction_gym.env_id(args.suite, args.task, args.mode)
env = gym.make(name, assets="generated")
print(f"{name}: observations {env.observation_space.shape} {env.observation_space.dtype}")

obs, info = env.reset(seed=0)
print("this episode drew", info["distraction"])

total = 0.0
for _ in range(args.steps):
    obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    total += reward
    if terminated or truncated:  # always truncated: these tasks end by a time limit alone
        print(f"episode over, return {total:.2f}")
        obs, info = env.reset()
        total = 0.0
env.close()
