"""Many environments at once, in one process or in several."""

import argparse
import time

import gymnasium as gym

import distraction_gym

ENV = distraction_gym.env_id("mini", "reach", "video_hard")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--num-envs", type=int, default=4)
    args = parser.parse_args()

    for mode in ("sync", "async"):
        envs = gym.make_vec(ENV, num_envs=args.num_envs, vectorization_mode=mode)
        obs, _ = envs.reset(seed=0)  # seeds 0, 1, 2, ...
        start = time.perf_counter()
        for _ in range(args.steps):
            obs, *_ = envs.step(envs.action_space.sample())
        speed = args.steps * args.num_envs / (time.perf_counter() - start)
        print(f"{mode}: observations {obs.shape}, {speed:.0f} steps/s")
        envs.close()


if __name__ == "__main__":  # async starts processes, which import this file
    main()
