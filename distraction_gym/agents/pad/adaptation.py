"""PAD at test time: an agent that goes on learning without rewards, for one episode."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.encoders import PixelEncoder
from distraction_gym.agents.pad.inverse import InverseDynamics, split

if TYPE_CHECKING:
    from distraction_gym.agents.pad import PAD

Module = TypeVar("Module", bound=nn.Module)


class Adaptation:
    """A copy of an agent that learns from every step it is shown; the agent stays as it is.

    >>> player = model.adapter()
    >>> action, _ = player.predict(obs, deterministic=True)
    >>> next_obs, *_ = env.step(action)
    >>> player.observe(obs, action, next_obs)

    Args:
        model: The trained agent.
        seed: Of the random crops. They are drawn apart from torch's own random numbers, so that
            an evaluation changes nothing in the run that it interrupts.
    """

    def __init__(self, model: PAD, seed: int = 0) -> None:
        self.model = model
        parts = (model.critic.features_extractor, model.extras["inverse"])
        trunk, inverse = copy.deepcopy(parts)
        self.trunk, self.inverse = cast(PixelEncoder, trunk), cast(InverseDynamics, inverse)
        actor = _with(model.actor, features_extractor=self.trunk)
        self.policy = _with(model.policy, actor=actor)
        shared, _ = split(self.trunk, model.head_layers)
        trained = [*shared.parameters(), *self.inverse.parameters()]
        self.optimizer = torch.optim.Adam(trained, model.aux_lr)
        self.generator = torch.Generator(model.device).manual_seed(seed)

    def predict(
        self, observation: npt.NDArray[np.uint8], *, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Return an action as the model's `predict` does, from what was learned so far."""
        return self.policy.predict(observation, deterministic=deterministic)

    def observe(
        self,
        obs: npt.NDArray[np.uint8],
        action: npt.NDArray[np.float32],
        next_obs: npt.NDArray[np.uint8],
    ) -> None:
        """Learn from one step: `adapt_steps` gradient steps on random crops of its pictures.

        Args:
            obs: `(3k, H, W)`, what the action was chosen from.
            action: `(A,)`, as the environment took it.
            next_obs: `(3k, H, W)`, what came of it.
        """
        scaled = torch.as_tensor(self.policy.scale_action(action), device=self.model.device)
        actions = scaled.float().expand(self.model.adapt_batch_size, -1)
        for _ in range(self.model.adapt_steps):
            crops = self._crops(obs), self._crops(next_obs)
            loss = self.model.inverse_error(self.trunk, self.inverse, *crops, actions)
            descend({"inverse_loss": loss}, [self.optimizer])

    def _crops(self, obs: npt.NDArray[np.uint8]) -> Tensor:
        picture = torch.as_tensor(obs, device=self.model.device).float()
        repeated = picture.expand(self.model.adapt_batch_size, -1, -1, -1)
        return self.model.random_crop(repeated, self.generator)


def _with(module: Module, **parts: nn.Module) -> Module:
    """Return a module that shares all with another but the submodules named here."""
    # Not deep copies: the policy holds a method of the model, and that the replay buffer.
    twin = copy.copy(module)
    twin._modules = {**module._modules, **parts}
    return twin
