"""Stable-Baselines3's own algorithms: the observations are the images that they expect."""

import argparse

from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym import env_id

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=5_000)
args = parser.parse_args()

# NatureCNN, their extractor, wants 36 pixels or more: the mini suite's default.
env = make_vec_env(env_id("mini", "reach", "clean"), n_envs=2, seed=0)
test = make_vec_env(env_id("mini", "reach", "video_hard"), n_envs=1, seed=42)
for model in (
    PPO("CnnPolicy", env, n_steps=32, batch_size=32, gamma=0.8, seed=0),
    SAC("CnnPolicy", env, buffer_size=args.steps, learning_starts=20, gamma=0.8, seed=0),
):
    model.learn(args.steps)
    clean, _ = evaluate_policy(model, env, n_eval_episodes=4)
    hard, _ = evaluate_policy(model, test, n_eval_episodes=4)
    print(f"{type(model).__name__}: clean {clean:.1f}, video_hard {hard:.1f}")
