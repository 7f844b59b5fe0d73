"""Four environments at once, with Stable-Baselines3's callbacks and its evaluation."""

import argparse
from pathlib import Path

from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym import env_id
from distraction_gym.agents import SAC
from distraction_gym.agents.common.presets import RUN_KEYS, load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint

CLEAN, HARD = (env_id("mini", "reach", mode) for mode in ("clean", "video_hard"))
preset = load_preset("sac", CLEAN)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=preset["n_timesteps"])
parser.add_argument("--out", type=Path, default=Path("sac-reach"))
args = parser.parse_args()

env = make_vec_env(CLEAN, n_envs=4, seed=0)
unseen = make_vec_env(HARD, n_envs=1, seed=42)
watch = EvalCallback(
    unseen,
    eval_freq=max(1, args.steps // 4 // env.num_envs),  # in calls of env.step
    n_eval_episodes=5,
    best_model_save_path=str(args.out / "best"),
    log_path=str(args.out / "eval"),
)
checkpoints = ResumableCheckpoint(args.out / "checkpoints", every=max(1, args.steps // 2))

settings = {key: value for key, value in preset.items() if key not in RUN_KEYS}
for key in ("learning_starts", "catch_up_updates"):  # a short run starts to learn earlier
    settings[key] = min(settings[key], args.steps // 2)
model = SAC("CnnPolicy", env, seed=0, tensorboard_log=str(args.out / "logs"), **settings)
model.learn(args.steps, callback=[watch, checkpoints])

for name, test in (("clean", env), ("video_hard", unseen)):
    mean, spread = evaluate_policy(model, test, n_eval_episodes=5)
    print(f"{name}: return {mean:.1f} +- {spread:.1f}")
