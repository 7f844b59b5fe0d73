"""Statistics against cases that were worked out by hand."""

import math

import numpy as np
import pytest

from distraction_gym.bench.stats import estimate, over_episodes, over_seeds, retention


def test_over_seeds_is_students_t():
    # mean 3, s = sqrt(2.5), t(4) = 2.7764: half width 2.7764 * 1.5811 / sqrt(5) = 1.9633
    value = over_seeds([1, 2, 3, 4, 5])
    assert value == pytest.approx((3.0, 1.0367, 4.9633), abs=1e-4)


def test_the_quantiles_are_students():
    stats = pytest.importorskip("scipy.stats")
    for count in range(2, 32):
        values = np.arange(count, dtype=float)
        low, high = stats.t.interval(
            0.95, count - 1, values.mean(), values.std(ddof=1) / np.sqrt(count)
        )
        assert over_seeds(values) == pytest.approx((values.mean(), low, high), rel=1e-4, abs=1e-4)


def test_one_seed_says_nothing_about_spread():
    value = over_seeds([4.0])
    assert value.mean == 4.0 and math.isnan(value.low) and math.isnan(value.high)


def test_over_episodes_brackets_the_mean_as_the_normal_does():
    returns = np.random.default_rng(0).normal(10.0, 2.0, 400)
    value = over_episodes(returns)
    half = 1.96 * returns.std() / np.sqrt(returns.size)
    assert value == pytest.approx(
        (returns.mean(), returns.mean() - half, returns.mean() + half), abs=0.02
    )
    assert value == over_episodes(returns)  # the same report twice


def test_equal_episodes_have_no_spread():
    assert over_episodes([5.0, 5.0, 5.0]) == (5.0, 5.0, 5.0)


def test_estimate_goes_over_seeds_where_there_are_several():
    runs = [[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]]
    assert estimate(runs) == over_seeds([1.0, 3.0, 5.0])
    assert estimate(runs[:1]) == over_episodes([0.0, 2.0])


def test_retention_is_the_mean_of_ratios_per_seed():
    # (0.5 + 0.25) / 2, and not 3 / 10: seeds pair
    assert retention([1.0, 2.0], [2.0, 8.0]).mean == pytest.approx(0.375)


def test_retention_of_a_useless_clean_agent_is_not_defined():
    assert math.isnan(retention([1.0, 2.0], [2.0, 0.0]).mean)


def test_seeds_must_pair():
    with pytest.raises(ValueError, match="one clean return per seed, got 1 and 2"):
        retention([1.0], [1.0, 2.0])


@pytest.mark.parametrize("function", [over_seeds, over_episodes])
def test_nothing_has_no_mean(function):
    with pytest.raises(ValueError, match="at least one value"):
        function([])
