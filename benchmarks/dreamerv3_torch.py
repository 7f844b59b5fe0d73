"""NM512/dreamerv3-torch from a checkout, unmodified, in the sizes that Dreamer is measured in.

What only its environments and its command line need is stood in for: `envs.wrappers`, which asks
for an old `gym`, and `ruamel.yaml`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import yaml
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional as F

from distraction_gym.agents import Dreamer
from distraction_gym.agents.dreamer import Sequences
from distraction_gym.agents.dreamer import rssm as own_rssm
from distraction_gym.agents.dreamer.distributions import BoundedNormal, mode_one_hot
from distraction_gym.agents.dreamer.rssm import State

STOOD_IN_FOR = ("envs", "envs.wrappers", "ruamel", "ruamel.yaml")
NAMES = {
    "deter": "dyn_deter",
    "stoch": "dyn_stoch",
    "classes": "dyn_discrete",
    "hidden": "dyn_hidden",
    "units": "units",
}
"""Our sizes, and what they are called there; `depth` is the encoder's and the decoder's."""


class Peer:
    """The port's agent, with the calls that are measured.

    Args:
        folder: The checkout.
        side: Of the pictures.
        actions: Numbers of an action.
        sizes: As `policy_kwargs`.
        device: `"cpu"` or `"cuda"`.
        fast: Its options `compile: True` and `precision: 16`.
    """

    def __init__(
        self, folder: Path, side: int, actions: int, sizes: dict[str, int], device: str, fast: bool
    ) -> None:
        config = _config(folder, sizes) | {"device": device, "num_actions": actions}
        config |= {"compile": fast, "precision": 16 if fast else 32}
        sys.path.insert(0, str(folder))
        for name in STOOD_IN_FOR:
            sys.modules.setdefault(name, types.ModuleType(name))
        import dreamer

        picture = spaces.Box(0, 255, (side, side, 3), np.uint8)
        told = argparse.Namespace(**config)
        logger = argparse.Namespace(step=0)
        with contextlib.redirect_stdout(sys.stderr):
            seen, done = spaces.Dict({"image": picture}), spaces.Box(-1, 1, (actions,))
            agent = dreamer.Dreamer(seen, done, told, logger, None).to(device)
        self.agent = agent.requires_grad_(False)
        self.world, self.behavior = agent._wm, agent._task_behavior
        trained = [self.world, self.behavior.actor, self.behavior.value]
        self.parameters = sum(p.numel() for part in trained for p in part.parameters())
        self.starts: Any = None
        self.playing: Any = None
        self.folder = tempfile.TemporaryDirectory()

    def batch(self, sequences: Sequences) -> dict[str, np.ndarray]:
        """Return the same batch as arrays, as its replay buffer has them."""
        return {
            "image": sequences.image.permute(0, 1, 3, 4, 2).cpu().numpy().copy(),
            "action": sequences.action.cpu().numpy(),
            "reward": sequences.reward.cpu().numpy(),
            "is_first": sequences.first.cpu().numpy().astype(bool),
            "is_terminal": sequences.terminal.cpu().numpy().astype(bool),
        }

    def update_world(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """Train the world model; return what it tells."""
        self.starts, _, told = self.world._train(batch)
        return told

    def update_behavior(self) -> dict[str, Any]:
        """Train actor and critic from the states of the last batch; return what is told."""
        return self.behavior._train(self.starts, self._reward)[-1]

    def _reward(self, features: Tensor, states: dict[str, Tensor], actions: Tensor) -> Tensor:
        return self.world.heads["reward"](self.world.dynamics.get_feat(states)).mode()

    def play(self, envs: list[Any], steps: int) -> None:
        """Make steps in environments of its kind, without an update."""
        import tools

        cache: dict[str, Any] = {}
        told = argparse.Namespace(scalar=lambda *a: None, write=lambda **k: None, step=0)
        self.playing = tools.simulate(
            lambda obs, done, state: self.agent._policy(obs, state, training=True),
            envs,
            cache,
            self.folder.name,
            told,
            steps=steps,
        )


class PeerEnv:
    """One of our environments with its interface: dictionaries, and results to be called for."""

    def __init__(self, env: gym.Env, name: str) -> None:
        self.env, self.id = env, name

    def _tell(self, picture: np.ndarray, first: bool, terminal: bool) -> dict[str, Any]:
        image = np.ascontiguousarray(picture.transpose(1, 2, 0))
        return {"image": image, "is_first": first, "is_terminal": terminal}

    def reset(self) -> Any:
        """Begin an episode."""
        told = self._tell(self.env.reset()[0], True, False)
        return lambda: told

    def step(self, action: dict[str, np.ndarray]) -> Any:
        """Make a step."""
        picture, reward, terminal, limit, info = self.env.step(action["action"])
        told = self._tell(picture, False, terminal), reward, terminal or limit, info
        return lambda: told


def _config(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Return its configuration for pictures of dm_control, with our sizes."""
    all_ = yaml.safe_load((folder / "configs.yaml").read_text())
    config = _numbers(all_["defaults"])
    for key, value in _numbers(all_["dmc_vision"]).items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    config |= {NAMES[key]: value for key, value in sizes.items() if key in NAMES}
    for part in ("encoder", "decoder"):
        config[part]["cnn_depth"] = sizes.get("depth", config[part]["cnn_depth"])
    return config


def _numbers(value: Any) -> Any:
    """Read what YAML 1.1 takes for words, such as 1e-4."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


# The same weights in both.


def take_weights(ours: Dreamer, peer: Peer) -> None:
    """Move all of the port's weights, so that none is 0, and copy them into ours one by one."""
    with torch.no_grad():
        for weight in peer.agent.parameters():
            weight.add_(0.01 * torch.randn_like(weight))
    world, behavior = ours.policy.world_model, ours.policy.behavior
    dynamics, heads = peer.world.dynamics, peer.world.heads
    rssm, decoder = world.rssm, heads["decoder"]._cnn
    pairs = [
        (peer.world.encoder._cnn, world.encoder),
        (dynamics._img_in_layers, rssm.inputs),
        (dynamics._cell, rssm.cell),
        (dynamics._img_out_layers, rssm.prior_hidden),
        (dynamics._obs_out_layers, rssm.posterior_hidden),
        (dynamics._imgs_stat_layer, rssm.prior_logits),
        (dynamics._obs_stat_layer, rssm.posterior_logits),
        (decoder.layers, world.decoder.layers),
        (heads["reward"], world.reward),
        (heads["cont"], world.goes_on),
        (peer.behavior.value, behavior.critic),
        (peer.behavior._slow_value, behavior.slow_critic),
        (peer.behavior.actor.layers, nn.Sequential(*behavior.actor.children())[:-1]),
    ]
    with torch.no_grad():
        for theirs, own in pairs:
            _copy(theirs, own)
        rssm.start.copy_(dynamics.W[0])
        last = behavior.actor[-1]
        mean, std = peer.behavior.actor.mean_layer, peer.behavior.actor.std_layer
        last.weight.copy_(torch.cat([mean.weight, std.weight]))
        last.bias.copy_(torch.cat([mean.bias, std.bias]))
        # Theirs is read as (height, width, channels).
        side = world.decoder.sides[0]
        for theirs, own in zip(
            decoder._linear_layer.parameters(), world.decoder.first.parameters(), strict=True
        ):
            turned = theirs.view(side, side, -1, *theirs.shape[1:]).movedim(2, 0)
            own.copy_(turned.reshape(own.shape))


def _copy(theirs: nn.Module, own: nn.Module) -> None:
    for source, copied in zip(theirs.parameters(), own.parameters(), strict=True):
        assert source.shape == copied.shape, (source.shape, copied.shape)
        copied.copy_(source)


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Take modes and means for samples in both, so that both must find the same numbers."""
    import tools

    kept = own_rssm.sample_one_hot, BoundedNormal.sample
    theirs = tools.OneHotDist.sample, tools.OneHotDist.mode, tools.ContDist.sample
    own_rssm.sample_one_hot = mode_one_hot
    BoundedNormal.sample = lambda self: self.mean
    tools.OneHotDist.sample = _straight_through
    tools.OneHotDist.mode = _straight_through
    tools.ContDist.sample = lambda self: self._dist.mean
    try:
        yield
    finally:
        own_rssm.sample_one_hot, BoundedNormal.sample = kept
        tools.OneHotDist.sample, tools.OneHotDist.mode, tools.ContDist.sample = theirs


def _straight_through(self: Any, *shape: Any) -> Tensor:
    one_hot = F.one_hot(self.probs.argmax(-1), self.probs.shape[-1])
    return one_hot + self.probs - self.probs.detach()


def compare(ours: Dreamer, peer: Peer, batch: Sequences) -> dict[str, tuple[float, float]]:
    """Return losses and imagined returns, ours and theirs, of the same weights and batch.

    Each makes an update of its own, and the losses are those of two: the second tells whether the
    first moved the weights alike. The actor's entropy is left out, which the port weighs otherwise.
    """
    ours.policy.behavior.ent_coef = 0.0
    peer.agent._config.actor["entropy"] = 0.0
    found = {}
    with nothing_drawn():
        for at in (1, 2):
            theirs = peer.update_world(peer.batch(batch)) | peer.update_behavior()
            learned, losses = ours.update_model(batch)
            starts = State(*(part.detach().flatten(0, 1) for part in learned.states))
            losses |= ours._update_behavior(starts)
            for name, (key, scale) in COMPARED.items():
                found[f"{name} {at}"] = float(losses[name]), scale * float(theirs[key])
    return found


COMPARED = {
    "image_loss": ("image_loss", 1.0),
    "reward_loss": ("reward_loss", 1.0),
    "continue_loss": ("cont_loss", 1.0),
    "dyn_loss": ("dyn_loss", 0.5),
    "rep_loss": ("rep_loss", 0.1),
    "imagined_return": ("target_mean", 1.0),
    "actor_loss": ("actor_loss", 1.0),
    "critic_loss": ("value_loss", 1.0),
}
"""What is compared, what it is called there, and the weight that it is told without."""
