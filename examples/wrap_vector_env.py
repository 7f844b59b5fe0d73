"""Put distractions on a vector environment of which only the pictures are known."""

import argparse
from pathlib import Path

import cv2
import gymnasium as gym

from distraction_gym import env_id
from distraction_gym.wrappers import DistractionVectorWrapper
from distraction_gym.wrappers.record import newest_frame
from distraction_gym.wrappers.video import side_by_side


def keep_warm_colours(frame, envs):
    """Return the mask `(H, W)`: True where the picture is to be kept."""
    return frame[..., 0] > frame[..., 1] + 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-envs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("vector_env.png"))
    args = parser.parse_args()

    clean = env_id("mini", "track", "clean")
    envs = gym.make_vec(clean, num_envs=args.num_envs, vectorization_mode="async", image_size=64)
    envs = DistractionVectorWrapper(
        envs, "video_hard", foreground=keep_warm_colours, assets="generated"
    )
    obs, infos = envs.reset(seed=0)  # seeds 0, 1, 2, ...
    for _ in range(args.steps):
        obs, *_, infos = envs.step(envs.action_space.sample())
    for index, (drawn, *_) in enumerate(infos["distraction"]):
        print(f"environment {index} shows {drawn['clip']}")
    envs.close()

    panels = {f"environment {index}": newest_frame(one) for index, one in enumerate(obs)}
    cv2.imwrite(str(args.out), cv2.cvtColor(side_by_side(panels), cv2.COLOR_RGB2BGR))
    print(f"wrote {args.out}")


if __name__ == "__main__":  # async starts processes, which import this file
    main()
