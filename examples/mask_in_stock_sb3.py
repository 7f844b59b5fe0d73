"""MaDi's Masker in Stable-Baselines3's own PPO, and a picture of what it masks."""

import argparse

import cv2
import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym import env_id
from distraction_gym.agents import MaskerExtractor
from distraction_gym.agents.madi.extractor import explain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=40_000)
args = parser.parse_args()

# A Masker learns to mask what it meets: clips in the sky, another in each episode.
env = make_vec_env(env_id("mini", "reach", "video_easy"), n_envs=8, seed=0)
model = PPO(
    "CnnPolicy",
    env,
    n_steps=64,
    batch_size=128,
    n_epochs=4,
    gamma=0.8,
    learning_rate=1e-3,
    seed=1,
    policy_kwargs={
        "features_extractor_class": MaskerExtractor,
        "features_extractor_kwargs": {"masker_filters": 8},
    },
)
model.learn(args.steps)
for mode in ("video_easy", "video_hard"):
    test = make_vec_env(env_id("mini", "reach", mode), n_envs=1, seed=42)
    print(f"{mode}: return {evaluate_policy(model, test, n_eval_episodes=10)[0]:.1f}")

rows = []
unseen = gym.make(env_id("mini", "reach", "video_hard"))
for episode in range(4):
    obs, _ = unseen.reset(seed=episode)
    mask = explain(model, obs)[0].cpu().numpy()[..., None]
    frame = obs.transpose(1, 2, 0)
    rows.append(np.hstack([frame, np.repeat(255 * mask, 3, axis=2), mask * frame]))
    print(f"episode {episode}: {mask.mean():.0%} of the light passes")
picture = np.vstack(rows).round().astype(np.uint8)
picture = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
cv2.imwrite("masks.png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
print("masks.png: what it sees under video_hard, the mask, what is left")
