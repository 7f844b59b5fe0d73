"""Lists that go on from episode to episode, and moves per step."""

import pickle

import numpy as np
import pytest

from distraction_gym.distractions.rates import Cycle, Pace


def test_a_shuffled_list_shows_every_entry_once_before_it_repeats(rng):
    cycle = Cycle(100, shuffled=True)
    first, second = ([cycle.next(rng) for _ in range(100)] for _ in range(2))
    assert sorted(first) == list(range(100)) and first != sorted(first)
    assert first == second


def test_a_list_in_order_begins_somewhere_and_goes_on(rng):
    cycle = Cycle(100, shuffled=False)
    seen = [cycle.next(rng) for _ in range(101)]
    assert seen == [(seen[0] + step) % 100 for step in range(101)]


@pytest.mark.parametrize("shuffled", [True, False])
def test_a_new_seed_begins_anew_and_the_same_seed_gives_the_same(shuffled):
    cycle = Cycle(100, shuffled=shuffled)

    def play(seed, episodes=3):
        rng = np.random.default_rng(seed)
        return [cycle.next(rng) for _ in range(episodes)]

    assert play(1) == play(1) != play(2)
    assert play(1, 50) == play(1, 50)


def test_a_pickle_goes_on_with_its_generator(rng):
    cycle = Cycle(100, shuffled=True)
    cycle.next(rng)
    copy, twin = pickle.loads(pickle.dumps((cycle, rng)))
    assert [cycle.next(rng) for _ in range(5)] == [copy.next(twin) for _ in range(5)]


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (4, [0, 4, 4, 4, 4]),
        (1, [0, 1, 1, 1, 1]),
        (0.5, [0, 0, 1, 0, 1]),
        (1.5, [0, 1, 2, 1, 2]),
        (0, [0] * 5),
    ],
)
def test_moves_are_spread_over_steps_and_none_comes_before_the_first(pace, expected):
    moves = Pace(pace)
    for _ in range(2):
        moves.reset()
        assert [moves.due() for _ in range(5)] == expected


def test_a_pace_is_not_negative():
    with pytest.raises(ValueError, match="at least 0"):
        Pace(-1)
