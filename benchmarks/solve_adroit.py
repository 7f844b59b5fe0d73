"""Search for actions that solve episodes of Adroit's pen task, to show that it can be solved.

    python benchmarks/solve_adroit.py --seeds 1 --out pen.npz
    python benchmarks/solve_adroit.py --seeds 2 --samples 96 --out pen.npz

Model predictive path integral control (Williams et al., 2017) on the simulator's own state: at
every agent step, noisy continuations of the current plan are simulated, weighed by what they cost,
and averaged. The cost is shaped, unlike the task's reward. What these two commands found is
replayed in `tests/envs/test_adroit_demonstrations.py`; with 48 samples, 1 of the seeds 0 to 3 is
solved (0, 2 and 3 meet the goal at 6, 17 and 16 control steps, of 21).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from distraction_gym.envs.adroit.hand import FRAME_SKIP, AdroitEnv

REPEAT = 2
PENS = ("object", "target")
Array = np.ndarray


def cost_of(data: Any) -> float:
    """Return the angle between the pens, and how far the pen is from its place in the hand."""
    along = [data.site(f"{pen}_top").xpos - data.site(f"{pen}_bottom").xpos for pen in PENS]
    unit = [item / np.linalg.norm(item) for item in along]
    away = np.linalg.norm(data.body("Object").xpos - data.site("eps_ball").xpos)
    dropped = data.body("Object").xpos[2] < 0.1
    return float(np.linalg.norm(unit[0] - unit[1]) + 5.0 * away + 10.0 * dropped)


class Planner:
    """Plans for one environment, from the state that it is in."""

    def __init__(self, env: AdroitEnv, args: argparse.Namespace):
        self.env, self.args = env, args
        self.data = mujoco.MjData(env.model)
        self.rng = np.random.default_rng(args.search_seed)
        self.plan = np.zeros((args.horizon, env.model.nu))

    def act(self) -> Array:
        """Return the next action, and move the plan on."""
        for _ in range(self.args.rounds):
            noise = self.noise()
            costs = np.array([self.rollout(self.plan + item) for item in noise])
            weight = np.exp(-(costs - costs.min()) / (self.args.temperature * costs.std() + 1e-9))
            better = np.tensordot(weight / weight.sum(), noise, 1)
            self.plan = np.clip(self.plan + better, -1, 1)
        action = self.plan[0].astype(np.float32)
        self.plan = np.concatenate([self.plan[1:], self.plan[-1:]])
        return action

    def noise(self) -> Array:
        """Return smooth noise, `(samples, horizon, actions)`; the first of it is none at all."""
        knots = max(2, self.args.horizon // self.args.smooth)
        shape = (self.args.samples, knots, self.env.model.nu)
        drawn = self.rng.normal(0, self.args.sigma, shape)
        drawn *= self.rng.random((self.args.samples, 1, shape[-1])) < self.args.share
        drawn[0] = 0
        at = np.linspace(0, knots - 1, self.args.horizon)
        low = np.minimum(at.astype(int), knots - 2)
        part = (at - low)[:, None]
        return drawn[:, low] * (1 - part) + drawn[:, low + 1] * part

    def rollout(self, plan: Array) -> float:
        """Return what a plan costs."""
        env, total = self.env, 0.0
        mujoco.mj_copyData(self.data, env.model, env.data)
        for action in np.clip(plan, -1, 1):
            self.data.ctrl[:] = env.controls(action)
            for _ in range(REPEAT):
                mujoco.mj_step(env.model, self.data, FRAME_SKIP)
            total += cost_of(self.data)
        return total / len(plan)


def solve(args: argparse.Namespace, seed: int) -> tuple[Array, int, bool]:
    """Return an episode's actions, how often the goal was met, and whether that is a success."""
    env = AdroitEnv("pen")
    env.reset(seed=seed)
    planner = Planner(env, args)
    actions, met = [], 0
    for step in range(env.task.episode // REPEAT):
        actions.append(planner.act())
        for _ in range(REPEAT):
            _, _, lost, _, info = env.step(actions[-1])
            met += info["success"]
        if step % 10 == 9:
            print(
                f"seed {seed} step {step + 1} met {met} cost {cost_of(env.data):.3f}",
                flush=True,
            )
        if lost:
            break
    return np.array(actions), met, info["is_success"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--search-seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--horizon", type=int, default=16, help="agent steps")
    parser.add_argument("--smooth", type=int, default=4, help="agent steps per knot of the noise")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sigma", type=float, default=0.4)
    parser.add_argument("--share", type=float, default=1.0, help="of joints with noise")
    parser.add_argument("--temperature", type=float, default=0.2)
    args = parser.parse_args()
    found = {}
    for seed in args.seeds:
        actions, met, solved = solve(args, seed)
        print(
            f"seed {seed}: goal met at {met} control steps, {'solved' if solved else 'not solved'}",
            flush=True,
        )
        if solved:
            found[str(seed)] = actions.astype(np.float32)
        if args.out and found:
            np.savez_compressed(args.out, **found)


if __name__ == "__main__":
    main()
