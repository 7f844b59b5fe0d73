"""SMG: focus on what matters by separated models (arXiv 2410.10834)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.logger import Image
from torch import Tensor, nn

from distraction_gym.agents.common.auxiliary import AuxiliaryLosses
from distraction_gym.agents.common.policy import PixelCritic
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.smg.losses import (
    PIXEL_LOSSES,
    ViewMaker,
    Views,
    separation_losses,
    squared_error,
)
from distraction_gym.agents.smg.networks import PAPER_FILTERS, InverseDynamics, Separator
from distraction_gym.agents.smg.panels import draw_panels

__all__ = ["SMG"]

_ROWS = 4  # observations in a logged picture of panels


class SMG(AuxiliaryLosses):
    """SAC whose encoder also has to draw the foreground, beside a second one for the background.

    Two decoders and a mask rebuild the observation as `F * M + B * (1 - M)`. Q values and
    foregrounds shall not change when the background does; the TD loss never sees a changed
    picture, and to act only the encoder and the actor are needed. Defaults are those that the
    official code has for walker-walk.

    Args:
        *args: As `AuxiliaryLosses`.
        rho: Share of the picture that the mask shall cover; depends on the task.
        recon_scale: Weight of the reconstruction.
        mask_scale: Weight of the mask's share (eq. 1).
        back_scale: Weight of the background behind the foreground (eq. 2).
        action_scale: Weight of the action between two observations (eq. 3).
        fore_scale: Weight of an unchanged foreground (eq. 4).
        consistency_scale: Weight of unchanged Q values (eq. 5) in the critic's loss.
        mask_warmup: Updates before the mask's share counts: those that catch up.
        pixel_loss: How pictures are compared: `"l1"`, or `"l2"`, which draws small things in far
            fewer updates.
        overlay_images: Random pictures: `"generated"`, or a folder (Places365's layout).
        decoder_filters: Filters of a decoder's grid and of its two hidden convolutions.
        inverse_arch: Hidden layers of the inverse dynamics.
        panel_interval: Updates from one picture of panels in the logger to the next; 0 for none.
        batch_size: Transitions of an update.
        shift: Pixels of random shift.
        shift_next: The same for next observations.
        aux_clip: Largest norm of the auxiliary losses' gradient.
        policy_kwargs: As `VisualSACPolicy`; latents have 256 numbers (`projection_dim`).
        **kwargs: As `AuxiliaryLosses`.
    """

    def __init__(
        self,
        *args: Any,
        rho: float = 0.06,
        recon_scale: float = 1.0,
        mask_scale: float = 1.0,
        back_scale: float = 2.0,
        action_scale: float = 1.0,
        fore_scale: float = 0.1,
        consistency_scale: float = 0.5,
        mask_warmup: int = 1000,
        pixel_loss: str = "l1",
        overlay_images: str = "generated",
        decoder_filters: Sequence[int] = PAPER_FILTERS,
        inverse_arch: Sequence[int] = (1024, 1024),
        panel_interval: int = 1000,
        batch_size: int = 64,
        shift: int = 4,
        shift_next: int = 4,
        aux_clip: float | None = 100.0,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not 0.0 < rho < 1.0:
            raise ValueError(f"rho is a share of the picture, between 0 and 1, got {rho}")
        PIXEL_LOSSES[pixel_loss]  # an unknown name shows here, not at the first update
        self.rho, self.mask_warmup = rho, mask_warmup
        self.scales = {
            "recon": recon_scale,
            "mask": mask_scale,
            "back": back_scale,
            "action": action_scale,
            "fore": fore_scale,
        }
        self.consistency_scale = consistency_scale
        self.pixel_loss, self.overlay_images = pixel_loss, overlay_images
        self.decoder_filters, self.inverse_arch = decoder_filters, inverse_arch
        self.panel_interval = panel_interval
        self._views: Views | None = None
        super().__init__(
            *args,
            batch_size=batch_size,
            shift=shift,
            shift_next=shift_next,
            aux_clip=aux_clip,
            policy_kwargs={"projection_dim": 256, **(policy_kwargs or {})},
            **kwargs,
        )

    EXPLAINS: ClassVar[str] = "mask"

    # For users.

    def attention(self, obs: Tensor) -> Tensor:
        """Return the newest frame's mask, `(B, H, W)` in (0, 1)."""
        return self.separate(obs)[1][:, -1]

    def panels(self, obs: npt.NDArray[Any] | Tensor) -> npt.NDArray[np.uint8]:
        """Draw raw | foreground | mask | background | reconstruction of the newest frames.

        Args:
            obs: As `explain`.

        Returns:
            `(B * H, 5 * W, 3)` uint8, RGB: one row per observation.
        """
        pictures = self._pictures(obs)
        return draw_panels(pictures, *self.separate(pictures))

    @torch.no_grad()
    def separate(self, obs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return foregrounds, masks `(B, k, H, W)` and backgrounds of float pictures, 0-255."""
        separator = self._separator()
        return (*separator.foreground(self._latents(obs)), separator.background(obs))

    # What the method changes.

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the networks beside the critic's encoder, which is the foreground's."""
        latent = self.policy.projection_dim
        trunk = self.policy.make_features_extractor()
        shape: Any = self.observation_space.shape
        actions = spaces.flatdim(self.action_space)
        return {
            "separator": Separator(trunk, trunk.features_dim, latent, shape, self.decoder_filters),
            "inverse": InverseDynamics(latent, actions, self.inverse_arch),
        }

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the TD error of plain observations, and the change of Q under changed ones."""
        target = self.td_target(batch)
        encoded = self.policy.encode(self.encode_inputs(batch.obs))
        q_values = self.policy.q_values(encoded, batch.action)
        loss = squared_error(q_values, target)
        if self.consistency_scale:
            views = self._views = self._view(batch.obs, encoded)
            changed = self.policy.encode(self.encode_inputs(views.consistency))
            again = self.policy.q_values(changed, batch.action)
            consistency = squared_error(again, q_values)
            self.note("consistency_loss", consistency)
            loss = loss + self.consistency_scale * consistency
        return loss

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the five weighted losses of separation, on the pictures of the critic's step."""
        if not any(self.scales.values()):
            return {}
        views = self._views_of(batch)
        latents, following = self._latents(torch.cat([batch.obs, batch.next_obs])).chunk(2)
        first = self._separator().foreground(latents)
        compare = PIXEL_LOSSES[self.pixel_loss]
        losses = separation_losses(
            self._separator(), self._latents, views, first, self.rho, compare
        )
        action = self.extras["inverse"](torch.cat([latents, following], dim=1))
        losses["action"] = F.mse_loss(action, batch.action)
        self.note("mask_mean", first[1].mean())
        if self._n_updates <= self.mask_warmup:
            del losses["mask"]
        return {f"{k}_loss": self.scales[k] * loss for k, loss in losses.items() if self.scales[k]}

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Train the critic's encoder, which has a second optimizer so, and all networks here."""
        return [
            {"params": self._pixel_critic().encoder_parameters()},
            {"params": self.extras.parameters()},
        ]

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update, and now and then give the logger a picture of what the networks see."""
        before = self._n_updates
        super().train(gradient_steps, batch_size)
        every = self.panel_interval
        if every and self._n_updates // every > before // every and self._views is not None:
            panels = Image(self.panels(self._views.obs[:_ROWS]), "HWC")
            self.logger.record("smg/panels", panels, exclude=("stdout", "log", "json", "csv"))

    # Parts.

    def _pixel_critic(self) -> PixelCritic:
        if not isinstance(self.critic, PixelCritic):
            raise ValueError(
                "SMG draws from the critic's projection, which share_encoder=False leaves out. "
                "Type:  policy_kwargs={'share_encoder': True}"
            )
        return self.critic

    def _separator(self) -> Separator:
        separator = self.extras["separator"]
        assert isinstance(separator, Separator)
        return separator

    def _latents(self, obs: Tensor) -> Tensor:
        """Encode pictures 0-255 as the critic does, `(B, latent)`."""
        return self._pixel_critic().projection(self.policy.encode(self.encode_inputs(obs)))

    @torch.no_grad()
    def _view(self, obs: Tensor, encoded: Tensor) -> Views:
        _, mask = self._separator().foreground(self._pixel_critic().projection(encoded))
        return self.make_views(obs, mask)

    def _views_of(self, batch: Batch) -> Views:
        """Return the pictures that the critic's step has seen, or make them if it needed none."""
        if self._views is None or self._views.obs is not batch.obs:
            self._views = self._view(batch.obs, self.policy.encode(self.encode_inputs(batch.obs)))
        return self._views

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        """Meet a missing folder of pictures now, not after the random steps."""
        # Blank pictures, and a generator of its own: the run's random numbers stay as they were.
        blank = torch.zeros(1, *(self.observation_space.shape or ()), device=self.device)
        generator = torch.Generator(self.device).manual_seed(0)
        self.make_views(blank, blank[:, ::3], generator)
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        steps = self.replay_buffer_kwargs.get("n_steps", 1)
        if steps > 1 and self.scales["action"]:
            raise ValueError(
                f"n_steps={steps}: the action is read from an observation and the very next, which "
                "the replay buffer then does not give. Type:  n_steps=1, or action_scale=0"
            )
        super()._setup_model()
        self.make_views = ViewMaker(self.overlay_images)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "make_views", "_views"]
