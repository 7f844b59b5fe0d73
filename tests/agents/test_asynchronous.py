"""A model that learns in a thread: the loop never waits, and meets no half-made update."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from pictures import OWN, Bandit, small, weights
from stable_baselines3.common.callbacks import BaseCallback

from distraction_gym.agents import SAC, TRMS, MaDi
from distraction_gym.agents.common.checkpoint import load_checkpoint, save_checkpoint
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.errors import TrainingDiverged

SECONDS = 20.0


def learners() -> int:
    """Count the threads that learn; whoever runs the tests has threads of its own."""
    return sum(thread.name == "learner" for thread in threading.enumerate())


class Held:
    """A model whose updates stop in the middle, with weights that are no numbers, until let go."""

    def __init__(self, model) -> None:
        self.model, self.begun, self.go_on = model, threading.Event(), threading.Event()
        self._update, model._update = model._update, self

    def __call__(self, batch):
        network = self.model.policy.actor.latent_pi[0]
        kept = network.weight.detach().clone()
        network.weight.data.fill_(np.nan)
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        network.weight.data.copy_(kept)
        return self._update(batch)


class Each(BaseCallback):
    """Calls a function after each step; the run ends when it returns False."""

    def __init__(self, act) -> None:
        super().__init__()
        self.act = act

    def _on_step(self) -> bool:
        return self.act(self.model) is not False


def wait_for_updates(count, at):
    """Return what lets a run go on from a step when so many updates are made."""
    paused = threading.Event()

    def wait(model):
        give_up = SECONDS / 0.01
        while model.num_timesteps == at and model._n_updates < count and give_up:
            paused.wait(0.01)
            give_up -= 1

    return Each(wait)


@pytest.mark.parametrize("cls", [SAC, MaDi, TRMS])
def test_it_learns_beside_the_loop(cls):
    model = small(cls, asynchronous=True)
    before, networks = weights(model.actor), model.policy
    model.learn(30, callback=wait_for_updates(2, at=20))
    assert 2 <= model._n_updates <= 20  # learning starts after the tenth step
    assert model.policy is networks
    assert any(not torch.equal(p, q) for p, q in zip(model.actor.parameters(), before, strict=True))
    assert "train" not in vars(model) and not learners()
    model.learn(5, reset_num_timesteps=False)
    assert model.num_timesteps == 35


def test_without_the_option_nothing_runs_beside():
    model = small(SAC)
    threads = set()
    model.learn(15, callback=Each(lambda _: threads.add(learners())))
    assert threads == {0} and model._n_updates == 5


def test_the_loop_goes_on_and_acts_with_whole_weights_during_an_update():
    model = small(SAC, asynchronous=True)
    held = Held(model)

    def look(model):
        if model.num_timesteps == 15:
            assert held.begun.wait(SECONDS)
        if model.num_timesteps > 15:
            acted = model.predict(model.observation_space.sample(), deterministic=True)[0]
            assert np.isfinite(acted).all()
            assert np.isfinite(model._last_obs).all()
        if model.num_timesteps == 40:
            assert not model._n_updates  # 25 steps were made meanwhile
            held.go_on.set()

    model.learn(40, callback=Each(look))
    assert model._n_updates >= 1
    count = model.replay_buffer.size()
    assert count == 40 and np.isfinite(model.replay_buffer.actions[:count]).all()


def test_it_acts_with_the_weights_of_the_last_finished_update():
    model = small(MaDi, asynchronous=True)
    obs = model.observation_space.sample()
    acted = {}

    def look(model):
        wait_for_updates(3, at=20).act(model)
        with model.between_updates():
            acted["during"] = model.predict(obs, deterministic=True)[0]
            acted["updates"] = model._n_updates
            networks = model.policy.predict(obs, deterministic=True)[0]
            np.testing.assert_array_equal(acted["during"], networks)

    model.learn(20, callback=Each(look))
    assert acted["updates"] >= 3


def restored(path):
    kept = small(SAC)
    load_checkpoint(kept, path)
    return kept


@pytest.mark.filterwarnings("ignore:not saved with the model")  # what holds the update
@pytest.mark.parametrize(("write", "read"), [(save_checkpoint, restored), (SAC.save, SAC.load)])
def test_what_is_written_waits_for_the_end_of_an_update(write, read, tmp_path):
    model = small(SAC, asynchronous=True)
    held = Held(model)

    def save(model):
        if model.num_timesteps == 15:
            assert held.begun.wait(SECONDS)
            threading.Timer(0.2, held.go_on.set).start()
            write(model, tmp_path / "kept")

    model.learn(15, callback=Each(save))
    kept = read(tmp_path / "kept")
    assert kept._n_updates >= 1
    assert all(p.isfinite().all() for p in kept.policy.parameters())


def test_what_diverges_beside_the_loop_is_told_by_it(tmp_path):
    class Broken(Bandit):
        def step(self, action):
            obs, _, *rest = super().step(action)
            return obs, float("nan"), *rest

    model = small(SAC, asynchronous=True)
    model.set_env(Broken())
    with pytest.raises(TrainingDiverged, match=r"critic_loss is nan, .* is in "):
        model.learn(100_000, callback=ResumableCheckpoint(tmp_path, every=10**6))
    assert not learners()


def test_another_failure_beside_the_loop_ends_it_too():
    model = small(SAC, asynchronous=True)

    def fail(batch):
        raise ZeroDivisionError("in the thread")

    model._update = fail
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        model.learn(100_000)


def test_a_failure_after_the_last_step_is_told_too():
    model, begun, over = small(SAC, asynchronous=True), threading.Event(), threading.Event()

    def fail(batch):
        begun.set()
        assert over.wait(SECONDS)
        raise ZeroDivisionError("in the last update")

    def end(model):
        if model.num_timesteps == 12:
            assert begun.wait(SECONDS)
            over.set()

    model._update = fail
    with pytest.raises(ZeroDivisionError, match="in the last update"):
        model.learn(12, callback=Each(end))
    assert not learners()


def test_no_more_updates_than_asked_for():
    model = small(SAC, asynchronous=True, train_freq=5, gradient_steps=3, catch_up_updates=2)
    behind = []

    def look(model):
        behind.append(model.logger.name_to_value.get("train/updates_behind"))

    model.learn(45, callback=[wait_for_updates(5, at=40), Each(look)], log_interval=None)
    # Seven times three, after the steps 15 to 45, and two once.
    assert 5 <= model._n_updates <= 23
    assert behind[-1] is not None


def test_what_the_learner_logs_arrives():
    model = small(MaDi, asynchronous=True)
    seen = set()
    names = Each(lambda model: seen.update(model.logger.name_to_value))
    model.learn(40, callback=[wait_for_updates(5, at=30), names], log_interval=None)
    assert {"train/critic_loss", "train/mask_mean", "train/n_updates"} <= seen


def test_a_thread_that_learns_does_not_look_like_one_that_is_asked():
    """Mixed masks are soft where it learns and, at the same time, hard for others."""
    model = small(MaDi, asynchronous=True, mask_type="mixed")
    found = {}

    def learn():
        with model._learning():
            found["learner"] = model._learns
            found["other"] = others()

    def others():
        asked = threading.Thread(target=lambda: found.update(asked=model._learns))
        asked.start()
        asked.join()
        return found["asked"]

    learn()
    assert found == {"learner": True, "other": False, "asked": False}
    assert not model._learns


def test_the_option_is_kept_in_files(tmp_path):
    model = small(SAC, asynchronous=True)
    model.learn(12)
    model.save(tmp_path / "model")
    assert SAC.load(tmp_path / "model").asynchronous


def test_every_agent_has_the_option():
    assert all(small(cls, asynchronous=True).asynchronous for cls in OWN)
