"""Small statistics of returns: intervals over seeds or episodes, and retention."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

# Student's t, 97.5 % quantile, for 1 to 30 degrees of freedom; above, the normal's is within 4 %.
_T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
_NORMAL = 1.96
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A mean with its 95 % interval; the bounds are NaN where one value says nothing of spread."""

    mean: float
    low: float
    high: float


def over_seeds(values: npt.ArrayLike) -> Estimate:
    """Estimate the mean of independent runs, one value each, with Student's t.

    A bootstrap of five runs covers far less than it claims; t does not.

    Raises:
        ValueError: without any value.
    """
    array = _checked(values)
    mean = float(array.mean())
    if array.size < 2:
        return Estimate(mean, float("nan"), float("nan"))
    quantile = _T[array.size - 2] if array.size - 2 < len(_T) else _NORMAL
    half = quantile * float(array.std(ddof=1)) / float(np.sqrt(array.size))
    return Estimate(mean, mean - half, mean + half)


def over_episodes(returns: npt.ArrayLike, seed: int = 0) -> Estimate:
    """Estimate the mean of one run's episodes with a percentile bootstrap.

    Says how well this one model was measured, and nothing about another training seed.

    Raises:
        ValueError: without any value.
    """
    array = _checked(returns)
    rng = np.random.default_rng(seed)
    means = rng.choice(array, (RESAMPLES, array.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(array.mean()), float(low), float(high))


def estimate(runs: list[npt.ArrayLike]) -> Estimate:
    """Estimate the mean return of a cell: over seeds, or over episodes where there is one seed.

    Args:
        runs: The episode returns of each seed.
    """
    if len(runs) == 1:
        return over_episodes(runs[0])
    return over_seeds([float(np.mean(np.asarray(run))) for run in runs])


def retention(mode: npt.ArrayLike, clean: npt.ArrayLike) -> Estimate:
    """Estimate how much of its clean return each seed keeps: mean over seeds of mode / clean.

    Args:
        mode: Mean return of each seed under a mode.
        clean: Mean return of the same seeds, in the same order, under `clean`.

    Raises:
        ValueError: if the seeds do not pair. A clean return of zero or less gives NaN: the ratio
            would say nothing.
    """
    top, bottom = _checked(mode), _checked(clean)
    if top.shape != bottom.shape:
        raise ValueError(f"expected one clean return per seed, got {top.size} and {bottom.size}")
    if (bottom <= 0).any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    return over_seeds(top / bottom)


def _checked(values: npt.ArrayLike) -> Values:
    array = np.asarray(values, np.float64).ravel()
    if array.size == 0:
        raise ValueError("expected at least one value, got none")
    return array
