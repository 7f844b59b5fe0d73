"""Numbers of masks, warnings of the paper's failures, and agreement with the oracle."""

import math
import warnings

import numpy as np
import pytest
import torch
from pictures import OWN, SMALL, random_batch, small
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from distraction_gym import env_id
from distraction_gym.agents import MaDi, MaskerExtractor
from distraction_gym.agents.madi.health import FAILURES, SAMPLES, MaskWatch, measure
from distraction_gym.agents.madi.overlap import MaskOverlap, overlap
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.wrappers import AddForegroundMask

CLEAN = env_id("mini", "reach", "clean")


class TestStatistics:
    def test_they_equal_a_slow_reference(self):
        masks = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
        pixels = masks.double().flatten().tolist()
        bits = [-p * math.log2(p) - (1 - p) * math.log2(1 - p) for p in pixels]
        found = measure(masks)
        assert found.mean.item() == pytest.approx(np.mean(pixels), rel=1e-5)
        assert found.spread.item() == pytest.approx(np.std(pixels, ddof=1), rel=1e-5)
        assert found.entropy.item() == pytest.approx(np.mean(bits), rel=1e-5)

    @pytest.mark.parametrize(("value", "bits"), [(0.5, 1.0), (0.0, 0.0), (1.0, 0.0)])
    def test_entropy_at_its_ends(self, value, bits):
        assert measure(torch.full((1, 1, 2, 2), value)).entropy.item() == pytest.approx(bits)

    def test_a_large_batch_is_measured_by_its_first_pictures(self):
        masks = torch.cat([torch.full((SAMPLES, 1, 2, 2), 0.25), torch.ones(4, 1, 2, 2)])
        assert measure(masks).mean.item() == 0.25

    @pytest.mark.parametrize("mask_type", ["soft", "hard", "mixed"])
    def test_a_model_logs_them(self, mask_type):
        model = small(MaDi, mask_type=mask_type)
        model.learn(14)
        logged = model.logger.name_to_value
        assert 0.3 < logged["train/mask_mean"] < 0.7
        assert 0.8 < logged["train/mask_entropy"] <= 1.0
        assert 0.0 <= logged["train/mask_spread"] < 0.2

    def test_only_the_critics_masks_are_measured(self):
        model = small(MaDi, learning_starts=2)
        model.learn(6)
        with model._learning():
            model._update(model._sample(8))  # an actor's update among the two kinds
            model._update(model._sample(8))
        assert len(model._notes["mask_mean"]) == 2
        model.encode_inputs(random_batch().obs)  # a user looks
        assert len(model._notes["mask_mean"]) == 2


class TestFailures:
    @pytest.mark.parametrize(
        ("name", "mean", "spread", "said"),
        [("grey", 0.52, 0.01, "even grey.*overlay"), ("black", 0.005, 0.01, "black.*masker_lr")],
    )
    def test_each_is_warned_of_once_and_not_too_early(self, name, mean, spread, said):
        watch, after = MaskWatch(), FAILURES[name].after
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            watch.look(after - 1, mean, spread)
        with pytest.warns(RuntimeWarning, match=said) as caught:
            watch.look(after, mean, spread)
            watch.look(after + 1, mean, spread)
        assert len(caught) == 1
        assert f"mean {mean:.3f}" in str(caught[0].message)

    @pytest.mark.parametrize(("mean", "spread"), [(0.5, 0.2), (0.1, 0.05), (0.9, 0.01)])
    def test_healthy_masks_are_not_warned_of(self, mean, spread):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            MaskWatch().look(100_000, mean, spread)

    def test_a_model_that_masks_all_is_told_so(self):
        model = small(MaDi, learning_starts=2)
        model.learn(6)
        with torch.no_grad():
            model.extras["masker"].convolutions[-1].bias.fill_(-20.0)
        model._n_updates = 499
        with pytest.warns(RuntimeWarning, match="after 500 updates masks are black"):
            model.train(1, batch_size=4)


class TestOverlap:
    def test_it_equals_a_slow_reference(self, rng):
        mask, foreground = rng.random((2, 5, 6)), rng.random((2, 5, 6)) > 0.6
        pairs = [(m > 0.3, f) for m, f in zip(mask.flat, foreground.flat, strict=True)]
        both, either = sum(m and f for m, f in pairs), sum(m or f for m, f in pairs)
        assert overlap(mask, foreground, 0.3) == pytest.approx(both / either)

    def test_a_mask_is_compared_with_its_own_mean(self):
        """A dim mask with the right contrast is a right mask, beside a bright one too."""
        foreground = np.zeros((2, 4, 4), bool)
        foreground[0, :2], foreground[1, 1:3] = True, True
        masks = np.stack([0.1 + 0.1 * foreground[0], 0.7 + 0.2 * foreground[1]])
        assert overlap(masks, foreground) == 1.0
        assert overlap(1 - masks, foreground) == 0.0

    def test_its_ends(self):
        ones, zeros = np.ones((2, 2)), np.zeros((2, 2))
        assert overlap(ones, ones > 0, 0.5) == 1.0
        assert overlap(zeros, ones > 0, 0.5) == 0.0
        assert overlap(zeros, zeros > 0) == 1.0  # nothing to see, and nothing claimed

    def test_the_picture_is_compared_with_the_mask_of_the_same_moment(self):
        """At the end of an episode the picture is the next one's, the info still the last one's."""
        env = make_vec_env(CLEAN, n_envs=2, seed=0, wrapper_class=AddForegroundMask)
        settings = {**SMALL, **OWN[MaDi], "learning_starts": 1000}
        model = MaDi("CnnPolicy", env, **settings)
        # What the oracle knows can be read off this task's colours.
        model.explain = lambda obs: torch.as_tensor(obs)[:, 0].float() / 255
        found, callback = [], MaskOverlap(every=2, threshold=0.45)
        model.set_logger(_Recorder(found))
        model.learn(160, callback=callback)
        assert len(found) >= 70 and min(found) > 0.8

    def test_stock_algorithms_are_measured_too(self):
        env = make_vec_env(CLEAN, n_envs=2, wrapper_class=AddForegroundMask)
        kwargs = {"features_extractor_class": MaskerExtractor}
        model = PPO("CnnPolicy", env, n_steps=4, batch_size=8, n_epochs=1, policy_kwargs=kwargs)
        found = []
        model.set_logger(_Recorder(found))
        model.learn(8, callback=MaskOverlap(every=4))
        assert len(found) == 2 and all(0 <= value <= 1 for value in found)

    def test_without_an_oracle_it_says_how_to_have_one(self):
        model = small(MaDi)
        with pytest.raises(UnsupportedEnvironment, match="wrapper_class=AddForegroundMask"):
            model.learn(4, callback=MaskOverlap(every=1))

    def test_every_has_to_be_a_number_of_steps(self):
        with pytest.raises(ValueError, match="1 or more"):
            MaskOverlap(every=0)


def _Recorder(found):  # noqa: N802
    """Return a logger that keeps what is recorded of masks."""
    from stable_baselines3.common.logger import Logger

    class Keeping(Logger):
        def record_mean(self, key, value, exclude=None):
            if key == "train/mask_iou":
                found.append(value)

    return Keeping(None, [])
