"""What a Dreamer looks at and expects, for people to see."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from stable_baselines3.common.logger import Image
from torch import Tensor

from distraction_gym.agents.common.explain import ExplainMixin
from distraction_gym.agents.common.saliency import input_gradients, normalized, per_pixel
from distraction_gym.agents.dreamer.distributions import mode_one_hot
from distraction_gym.agents.dreamer.panels import as_bytes, open_loop
from distraction_gym.agents.dreamer.policy import DreamerPolicy
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.world_model import Sequences, as_pictures

_NOT_PICTURES = ("stdout", "log", "json", "csv")


class Looking(ExplainMixin):
    """`explain` and `views` of a world model, and pictures in the log.

    Both look at one picture as an episode's first: what they show does not depend on what the
    model remembers, and no random number is drawn.
    """

    policy: DreamerPolicy  # type: ignore[assignment]
    logger: Any

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Return what the encoder sees, of `(B, 3k, H, W)`: the newest frame, as it is."""
        return obs[:, -3:]

    def attention(self, obs: Tensor) -> Tensor:
        """Return how strongly the critic's value depends on each pixel, `(B, H, W)` in [0, 1]."""
        value = self.policy.behavior.critic.mean
        gradients = input_gradients(lambda o: value(self._first_state(o).features), obs)
        return normalized(per_pixel(gradients)[:, -1])

    def views(self, obs: npt.NDArray[Any] | Tensor) -> dict[str, npt.NDArray[Any]]:
        """Return saliency and the decoder's picture of one observation, by title."""
        shown = super().views(obs)
        model = self.policy.world_model
        if not hasattr(model, "decoder"):
            return shown
        with torch.no_grad():
            made = model.decoder(self._first_state(self._pictures(obs)).features)[0]
        return {**shown, "reconstruction": as_bytes(made.permute(1, 2, 0))}

    def draw(self, batch: Sequences) -> None:
        """Put into the log what the model makes of a batch (`panels.open_loop`)."""
        if hasattr(self.policy.world_model, "decoder"):
            sheet = Image(open_loop(self.policy.world_model, batch), "HWC")
            self.logger.record("pictures/open_loop", sheet, exclude=_NOT_PICTURES)

    def _first_state(self, obs: Tensor) -> State:
        """Return the likeliest state of pictures that begin an episode."""
        rssm, memory = self.policy.world_model.rssm, self.policy.remember(len(obs))
        embed = self.policy.world_model.encoder(as_pictures(self.encode_inputs(obs), memory.deter))
        deter = rssm.step(State(memory.deter, memory.stoch), memory.action)
        return State(deter, mode_one_hot(rssm.posterior(deter, embed)))
