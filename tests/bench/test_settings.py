"""A run's settings: a preset, and what the user changes of it."""

from __future__ import annotations

import pytest

from distraction_gym.bench.training import configure

MINI = "mini-reach-clean-v0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_area": 0.5}, {"name": "superpixel", "max_area": 0.5}),
        (
            {"name": "superpixel", "regions": 9},
            {"name": "superpixel", "max_area": 1.0, "regions": 9},
        ),
        ({"name": "oracle"}, {"name": "oracle"}),
        ("background", "background"),
    ],
)
def test_arguments_of_the_preset_go_with_what_they_belong_to(given, expected):
    config = configure("trms", MINI, overrides={"segmenter": given})
    assert config.hyperparameters["segmenter"] == expected


def test_other_dictionaries_are_merged():
    config = configure("trms", MINI, overrides={"policy_kwargs": {"net_arch": [8]}})
    kwargs = config.hyperparameters["policy_kwargs"]
    assert kwargs["net_arch"] == [8] and kwargs["projection_dim"] == 50
