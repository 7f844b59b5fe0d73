"""A tiny picture task and a run on it; as a program, runs that are killed and resumed.

`python tiny_run.py FOLDER SEED` trains without a break, then again in a process that is killed at
random moments and resumed each time, and prints the fingerprints of both as JSON.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env

from distraction_gym.agents.common.checkpoint import latest_checkpoint, resume
from distraction_gym.agents.common.model_files import SafeSaveMixin
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.common.resumable import ResumableCheckpoint

SIDE, STACK, TOTAL, EVERY = 12, 3, 360, 40


class Dot(gym.Env):
    """A dot that moves with the action and with chance; episodes end and are cut off at random."""

    observation_space = spaces.Box(0, 255, (3 * STACK, SIDE, SIDE), np.uint8)
    action_space = spaces.Box(-2, 2, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(0, SIDE, 2)
        self.stack = [self.draw()] * STACK
        return np.concatenate(self.stack), {}

    def draw(self):
        frame = np.full((3, SIDE, SIDE), 40, np.uint8)
        row, column = self.place.astype(int)
        frame[:, row, column] = self.np_random.integers(100, 256, 3)
        return frame

    def step(self, action):
        moved = self.place + action + self.np_random.normal(size=2)
        self.place = np.clip(moved, 0, SIDE - 0.01)
        self.stack = [*self.stack[1:], self.draw()]
        end = self.np_random.random()
        # Python's and numpy's own generators have a say too, as in many people's environments.
        chance = random.random() + np.random.random()
        reward = chance - float(np.abs(self.place - SIDE / 2).sum())
        return np.concatenate(self.stack), reward, bool(end < 0.03), bool(end > 0.97), {}


class SafeSAC(SafeSaveMixin, SAC):
    """Stable-Baselines3's SAC with files that are data."""


def build(algorithm=SafeSAC, n_envs=1, env=Dot, **kwargs):
    settings = {
        "buffer_size": 130,
        "learning_starts": 20,
        "batch_size": 8,
        "policy_kwargs": {"net_arch": [16]},
        "replay_buffer_class": FrameReplayBuffer,
        "device": "cpu",
        "seed": 3,
        **kwargs,
    }
    return algorithm("MlpPolicy", make_vec_env(env, n_envs), **settings)


def fingerprint(model) -> str:
    """Hash weights, optimizers and what the replay buffer would give next."""
    digest = hashlib.sha256()
    for name, state in sorted(model.get_parameters().items()):
        digest.update(f"{name}{_bare(state)}".encode())
    state = np.random.get_state()
    for tensor in model.replay_buffer.sample(32)[:5]:
        digest.update(tensor.numpy().tobytes())
    np.random.set_state(state)
    return digest.hexdigest()


def _bare(value):
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tobytes().hex()
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, (list, tuple)) else value


def train(folder: Path) -> str:
    model = build()
    if latest_checkpoint(folder) is not None:
        resume(model, folder)
    callback = ResumableCheckpoint(folder, every=EVERY)
    model.learn(TOTAL - model.num_timesteps, callback, reset_num_timesteps=False)
    return fingerprint(model)


def killed_and_resumed(folder: Path, moments: random.Random) -> list[str]:
    """Train in child processes, kill each after some progress, and list where each began."""
    began = []
    while True:
        before = latest_checkpoint(folder)
        began.append(before.name if before else "nothing")
        child = os.fork()
        if child == 0:
            try:
                train(folder)
            finally:
                os._exit(1)
        ended = False
        while latest_checkpoint(folder) == before and not ended:
            time.sleep(0.002)
            ended = os.waitpid(child, os.WNOHANG)[0] == child
        if not ended:
            time.sleep(moments.uniform(0.0, 0.5))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if before == latest_checkpoint(folder) or len(began) == 5:
            return began


def main() -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    began = killed_and_resumed(folder / "killed", random.Random(int(sys.argv[2])))
    result = {
        "began": began,
        "killed": train(folder / "killed"),
        "whole": train(folder / "whole"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
