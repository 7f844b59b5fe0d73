"""What follows from how long episodes are (the official code's heuristics)."""

from __future__ import annotations

from stable_baselines3.common.vec_env import VecEnv

from distraction_gym.errors import UnsupportedEnvironment

DENOMINATOR, LOWEST, HIGHEST = 5, 0.95, 0.995
SEED_EPISODES, SEED_STEPS = 5, 1000


def discount(episode_length: int) -> float:
    """Return `(T/5 - 1) / (T/5)` for episodes of T decisions, at least 0.95, at most 0.995."""
    share = episode_length / DENOMINATOR
    return min(max((share - 1) / share, LOWEST), HIGHEST)


def seed_steps(episode_length: int) -> int:
    """Return how many random steps come first: five episodes, at least 1000."""
    return max(SEED_STEPS, SEED_EPISODES * episode_length)


def length_of_episodes(env: VecEnv | None) -> int:
    """Return how many decisions episodes have at most, which environments of IDs know.

    Raises:
        UnsupportedEnvironment: if the environment does not say.
    """
    known = [] if env is None else env.get_attr("spec")
    limits = [getattr(spec, "max_episode_steps", None) or 0 for spec in known]
    if not limits or not all(limits):
        raise UnsupportedEnvironment(
            "TDMPC2 derives its discount and its random steps from how long episodes are, and the "
            "environment has no spec that says so. Type how many decisions they have at most:  "
            "TDMPC2(..., episode_length=500)"
        )
    return int(max(limits))
