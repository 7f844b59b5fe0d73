"""Film a trained agent: clean | distracted | mask | what the network sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distraction_gym.bench.evaluate import SEED_OFFSET, Episodes, make_test_env, play
from distraction_gym.bench.runs import RunConfig
from distraction_gym.bench.views import agent_view
from distraction_gym.wrappers.record import RecordComparison


def film(
    model: Any,
    run: RunConfig,
    mode: str,
    path: Path,
    *,
    episodes: int = 3,
    seed: int | None = None,
    assets: str | None = None,
    size: int = 192,
) -> Episodes:
    """Write an mp4 of a run's model under a mode.

    Args:
        model: The trained model.
        run: What it was trained on.
        mode: A mode of the suite.
        path: Where the mp4 goes.
        episodes: How many to film.
        seed: Of the first episode; None takes the one that `evaluate` takes.
        assets: Where clips and colour tables are; None takes the run's.
        size: Height of a panel in pixels, about.

    Returns:
        What was played.
    """
    env = RecordComparison(make_test_env(run, mode, assets)[0], str(path), size)
    env.watch(agent_view(model))
    try:
        return play(model, env, episodes, run.seed + SEED_OFFSET if seed is None else seed)
    finally:
        env.close()
