"""SMG's separation for stock algorithms: a features extractor that trains itself on the side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from distraction_gym.agents.common.encoders import PixelEncoder, Projection
from distraction_gym.agents.smg.losses import PIXEL_LOSSES, ViewMaker, separation_losses
from distraction_gym.agents.smg.networks import PAPER_FILTERS, WHITE, Separator
from distraction_gym.agents.smg.panels import draw_panels
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown

SCALES = {"recon": 1.0, "mask": 1.0, "back": 2.0, "fore": 0.1}
"""Weights of the losses among each other, as SMG's official code has them for walker-walk."""


class SeparatedExtractor(BaseFeaturesExtractor):
    """Features from SMG's foreground encoder, for any algorithm of Stable-Baselines3.

    While the algorithm learns, each batch of pictures that passes also gives SMG's losses of
    single observations: reconstruction, the mask's share, the background behind the foreground,
    and an unchanged foreground. They ride on the features: the algorithm's own `backward` reaches
    them, and its own optimizer steps them. The features' gradient is not touched. What needs two
    observations (inverse dynamics) or Q values (their consistency) is left to `SMG`.

    Nothing is added while acting, without gradients, or in evaluation mode.

    Args:
        observation_space: Stacked RGB frames `(3k, H, W)`.
        features_dim: Numbers in the features, and in the background's latent.
        weight: Weight of the losses beside the algorithm's own. 1/255 measures their pixels in
            [0, 1]: PPO and its kin limit the norm of all gradients together, of which losses in
            0-255 would leave the policy next to nothing.
        rho: Share of the picture that the mask shall cover; depends on the task.
        scales: Weights among the losses, by name; those of `SCALES` for the rest.
        decoder_filters: Filters of a decoder's grid and of its two hidden convolutions.
        pixel_loss: How pictures are compared, `"l1"` or `"l2"` (as `SMG`).
        overlay_images: Random pictures: `"generated"`, or a folder (Places365's layout).
        trunk_kwargs: Arguments of both trunks (`PixelEncoder`).
        white: The value of full brightness in what arrives here: 1, since Stable-Baselines3
            divides uint8 pictures by 255. Pass 255 beside `normalize_images=False`.

    Raises:
        UnsupportedEnvironment: if the observations are no stacked RGB frames.
        UnknownName: for a loss in `scales` that does not exist.
    """

    def __init__(
        self,
        observation_space: spaces.Box,
        features_dim: int = 256,
        weight: float = 1 / 255,
        rho: float = 0.06,
        scales: Mapping[str, float] | None = None,
        decoder_filters: Sequence[int] = PAPER_FILTERS,
        pixel_loss: str = "l1",
        overlay_images: str = "generated",
        trunk_kwargs: Mapping[str, Any] | None = None,
        white: float = 1.0,
    ) -> None:
        super().__init__(observation_space, features_dim)
        shape = _frames_shape(observation_space)
        for name in scales or {}:
            if name not in SCALES:
                raise unknown("loss of SeparatedExtractor", name, SCALES)
        self.weight, self.rho, self.scales = weight, rho, {**SCALES, **(scales or {})}
        self.trunk, other = (PixelEncoder(observation_space, **trunk_kwargs or {}) for _ in "fb")
        size = self.trunk.features_dim
        self.projection = Projection(size, features_dim)
        self.separator = Separator(other, size, features_dim, shape, decoder_filters)
        self.compare = PIXEL_LOSSES[pixel_loss]
        self.make_views = ViewMaker(overlay_images)
        self.white = white
        self.losses: dict[str, Tensor] = {}
        self._seen: Tensor | None = None

    def forward(self, observations: Tensor) -> Tensor:
        """Encode pictures, `(B, 3k, H, W)` up to `white` -> `(B, features_dim)` in (-1, 1)."""
        obs = observations * (WHITE / self.white)
        features = self._encode(obs)
        if self._shall_train(obs):
            features = _Ride.apply(features, self._loss(obs, features))
        return features

    def apply(self, fn: Callable[[nn.Module], Any]) -> SeparatedExtractor:
        """Do nothing: PPO, A2C and TRPO would initialise all networks anew in their own way."""
        return self

    @torch.no_grad()
    def masks(self, obs: Tensor) -> Tensor:
        """Return one mask per frame, `(B, k, H, W)` in (0, 1), of `(B, 3k, H, W)`, 0-255."""
        return self.separator.foreground(self._encode(obs.float()))[1]

    @torch.no_grad()
    def panels(self, obs: Tensor) -> npt.NDArray[np.uint8]:
        """Draw raw | foreground | mask | background | reconstruction, as `SMG.panels`."""
        obs = obs.float()
        first = self.separator.foreground(self._encode(obs))
        return draw_panels(obs, *first, self.separator.background(obs))

    def _encode(self, obs: Tensor) -> Tensor:
        return self.projection(self.trunk(obs / WHITE))

    def _shall_train(self, observations: Tensor) -> bool:
        if not (self.training and torch.is_grad_enabled() and any(self.scales.values())):
            return False
        # A critic meets one batch twice, the second time for the actor's loss, which trains no
        # critic: its gradients would be worked out and thrown away.
        again = self._seen is not None and torch.equal(self._seen, observations)
        self._seen = None if again else observations.detach()
        return not again

    def _loss(self, obs: Tensor, features: Tensor) -> Tensor:
        if obs.max() > WHITE + 1:  # rounding may exceed it by a little
            raise ValueError(
                f"pictures reach {obs.max().item() / WHITE * self.white:g}, expected at most "
                f"{self.white:g}. With normalize_images=False type:  "
                '"features_extractor_kwargs": {"white": 255}'
            )
        first = self.separator.foreground(features)
        views = self.make_views(obs, first[1])
        found = separation_losses(
            self.separator, self._encode, views, first, self.rho, self.compare
        )
        self.losses = {name: loss.detach() for name, loss in found.items()}
        weighted = [self.scales[name] * loss for name, loss in found.items()]
        return self.weight * torch.stack(weighted).sum()


class _Ride(torch.autograd.Function):
    """Features as they are; who asks for their gradient asks for the loss's, too."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, loss: Tensor) -> Tensor:
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, gradient.new_ones(())


def _frames_shape(space: spaces.Space) -> Sequence[int]:
    shape = space.shape or ()
    if not isinstance(space, spaces.Box) or len(shape) != 3 or shape[0] % 3:
        raise UnsupportedEnvironment(
            f"SeparatedExtractor draws stacked RGB frames, (3k, H, W), got {space}. Draw and "
            "stack them:  StackFrames(AddRenderObservation(env), 3)"
        )
    return shape
