"""Options and fixtures that every test may use."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.utils import seeding


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dmcgb-data",
        default=os.environ.get("DISTRACTION_GYM_TEST_DATA"),
        help="folder with DMC-GB's data (video_easy/, video_hard/, color_*.json)",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="keep today's pictures as the golden ones (not with -n)",
    )


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's own cache, and one thread per process."""
    os.environ["DISTRACTION_GYM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("DISTRACTION_GYM_ASSETS", None)


@pytest.fixture(autouse=True)
def _same_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the same in every run: a test that fails once must fail again.

    Spaces and environments that nobody seeds ask the operating system; here they ask a generator,
    each for a seed of its own. Processes that a test starts are not reached.
    """
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    seeds, np_random = np.random.default_rng(0), seeding.np_random

    def drawn(seed: int | None = None) -> tuple[np.random.Generator, int]:
        return np_random(int(seeds.integers(2**31)) if seed is None else seed)

    monkeypatch.setattr(seeding, "np_random", drawn)


@pytest.fixture(scope="session")
def dmcgb_data(request: pytest.FixtureRequest) -> Path:
    """The folder with the real clips; tests that need it skip, saying so, when it is absent."""
    folder = request.config.getoption("--dmcgb-data")
    if not folder or not (Path(folder) / "video_hard").is_dir():
        pytest.skip("needs DMC-GB's data: --dmcgb-data FOLDER or DISTRACTION_GYM_TEST_DATA")
    return Path(folder)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
