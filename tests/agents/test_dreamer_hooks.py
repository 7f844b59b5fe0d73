"""What a variant of Dreamer may change, and what an agent shows and logs."""

import numpy as np
import torch
from dreams import SIDE, random_sequences, tiny
from stable_baselines3.common.logger import KVWriter, Logger

from distraction_gym.agents import Dreamer
from distraction_gym.agents.dreamer import WorldModel
from distraction_gym.agents.dreamer.panels import open_loop
from distraction_gym.bench.views import SEEN, agent_view


class OwnWorld(WorldModel):
    """Adds a network with a loss of its own."""

    def __init__(self, *args, weight=1.0, **kwargs):
        self.weight = weight
        super().__init__(*args, **kwargs)

    def extra_modules(self):
        return {"probe": torch.nn.Linear(self.features, 1)}

    def image_loss(self, batch, features):
        own = self.extras["probe"](features.detach()).square().mean()
        return {**super().image_loss(batch, features), "probe_loss": self.weight * own}


class Variant(Dreamer):
    """States what it changes."""

    world_model_class = OwnWorld

    def world_model_kwargs(self):
        return {**super().world_model_kwargs(), "weight": 0.5}

    def extra_optimizers(self):
        return {"probe": torch.optim.SGD(self.extras["probe"].parameters(), 0.1)}

    def extra_updates(self, batch, learned):
        assert learned.states.features.shape[:2] == batch.reward.shape
        return {"seen": batch.image.float().mean()}


def test_a_variant_states_only_what_it_changes(tmp_path):
    model = tiny(Variant)
    assert model.policy.world_model.weight == 0.5
    owned = {id(p) for group in model.optimizers.model.param_groups for p in group["params"]}
    probe = list(model.extras["probe"].parameters())
    assert not owned & {id(p) for p in probe}
    losses = model._update(random_sequences())
    assert {"probe_loss", "seen", "image_loss", "actor_loss"} <= set(losses)
    model.save(tmp_path / "variant")
    again = Variant.load(tmp_path / "variant", device="cpu")
    assert torch.equal(again.extras["probe"].weight, model.extras["probe"].weight)
    assert again.policy.world_model.weight == 0.5


def test_with_nothing_changed_a_variant_is_the_parent():
    class Same(Dreamer):
        pass

    one, two = tiny().learn(30), tiny(Same).learn(30)
    pairs = zip(one.policy.parameters(), two.policy.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


# Pictures, logs, errors, files.


def test_views_and_explain():
    model = tiny()
    obs = model.observation_space.sample()
    state = torch.get_rng_state()
    panels = agent_view(model)(obs)
    assert torch.equal(torch.get_rng_state(), state), "looking draws nothing"
    assert {name: panel.shape for name, panel in panels.items()} == {
        "saliency": (SIDE, SIDE),
        "reconstruction": (SIDE, SIDE, 3),
        SEEN: (SIDE, SIDE, 3),
    }
    assert np.array_equal(panels[SEEN], obs[3:].transpose(1, 2, 0))


def test_open_loop_pictures():
    model, batch = tiny().policy.world_model, random_sequences(5, 9)
    batch.first[1, 7] = 1
    sheet = open_loop(model, batch, rows=3)
    assert sheet.shape == (3 * 2 * SIDE, 9 * SIDE, 3) and sheet.dtype == np.uint8
    truth = batch.image[0, 0].permute(1, 2, 0).numpy()
    assert np.abs(sheet[:SIDE, :SIDE].astype(int) - truth).max() <= 1
    ended = sheet[3 * SIDE : 4 * SIDE, 7 * SIDE :]
    assert ended.max() == 0 < sheet[3 * SIDE : 4 * SIDE, : 7 * SIDE].max()


class Halved(WorldModel):
    """Has the decoder draw the upper half alone."""

    def target(self, batch):
        pictures = self.pictures(batch)
        pictures[..., SIDE // 2 :, :] = 0
        return pictures


class Blind(WorldModel):
    """Draws nothing."""

    def make_decoder(self):
        return None

    def image_loss(self, batch, features):
        return {}


def variant(world):
    return type("Own", (Dreamer,), {"world_model_class": world})


def test_what_the_decoder_learns_is_drawn_where_it_is_not_what_was_seen():
    model, batch = tiny(variant(Halved)), random_sequences(2, 8)
    sheet = open_loop(model.policy.world_model, batch)
    assert sheet.shape == (2 * 3 * SIDE, 8 * SIDE, 3)
    assert sheet[SIDE + SIDE // 2 : 2 * SIDE].max() == 0 < sheet[SIDE // 2 : SIDE].max()
    torch.manual_seed(0)
    own = model.policy.world_model.learn(batch).losses["image_loss"]
    batch.image[..., SIDE // 2 :, :] = 0
    assert not torch.equal(own, model.policy.world_model.learn(batch).losses["image_loss"])


def test_a_model_without_decoder_learns_and_shows_no_pictures_of_its_own():
    model = tiny(variant(Blind), draw_every=1).learn(30)
    assert model._n_updates > 2
    assert list(model.views(model.observation_space.sample())) == ["saliency"]


class Kept(KVWriter):
    def __init__(self):
        self.values = {}

    def write(self, key_values, key_excluded, step=0):
        self.values.update(key_values)


def test_what_is_logged():
    model, kept = tiny(draw_every=5, n_envs=2), Kept()
    model.set_logger(Logger(None, [kept]))
    model.learn(60, log_interval=1)
    names = {name.removeprefix("train/") for name in kept.values if name.startswith("train/")}
    assert names >= {
        *("image_loss", "reward_loss", "continue_loss", "dyn_loss", "rep_loss", "kl"),
        *("actor_loss", "critic_loss", "return_low", "return_high", "actor_entropy"),
        *("imagined_return", "imagined_value", "prior_entropy", "posterior_entropy"),
        *("learning_rate", "n_updates"),
    }
    assert kept.values["pictures/open_loop"].image.shape[2] == 3
