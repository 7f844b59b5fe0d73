"""SGQN: look where you act, saliency-guided Q-networks (arXiv 2209.09203)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor, nn

from distraction_gym.agents.common.auxiliary import AuxiliaryLosses
from distraction_gym.agents.common.policy import PixelCritic
from distraction_gym.agents.common.saliency import guided_gradients, per_pixel, quantile_mask
from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.sgqn.decoder import PAPER_FILTERS, SaliencyDecoder

__all__ = ["SGQN", "SaliencyDecoder", "blank_out"]


class SGQN(StrongAugmentation, AuxiliaryLosses):
    """SAC whose Q values shall rest on few pixels, and whose encoder shall know which.

    Two losses beside SAC's: Q values shall not change when everything but the most salient pixels
    is blanked out; and a decoder on the critic's encoder predicts those pixels from a picture that
    another one lies over. Defaults are those of the paper's Table 3 for walker.

    Args:
        *args: As `VisualSAC`.
        quantile: Share of each frame that is blanked out (the paper's rho); depends on the task,
            0.98 for small figures.
        consistency_weight: Weight of unchanged Q values beside the TD error; 0 for none.
        decoder_filters: Filters of the decoder's grid and of its two hidden convolutions.
        critic_weight_decay: Adam's L2 penalty on the critic and its encoder.
        aux_lr: Adam's rate for predicting saliency; 0 for no prediction.
        shift: Pixels of random shift.
        shift_next: The same for next observations.
        **kwargs: As `AuxiliaryLosses` and `StrongAugmentation` (`augment`, `overlay_images`, ...).
    """

    EXPLAINS = "salient pixels"

    def __init__(
        self,
        *args: Any,
        quantile: float = 0.95,
        consistency_weight: float = 0.5,
        decoder_filters: Sequence[int] = PAPER_FILTERS,
        critic_weight_decay: float = 1e-5,
        aux_lr: float = 3e-4,
        shift: int = 4,
        shift_next: int = 4,
        **kwargs: Any,
    ) -> None:
        if not 0.0 <= quantile <= 1.0:
            raise ValueError(f"quantile must lie in [0, 1], got {quantile}")
        self.quantile, self.consistency_weight = quantile, consistency_weight
        self.decoder_filters = list(decoder_filters)
        self.critic_weight_decay = critic_weight_decay
        super().__init__(*args, aux_lr=aux_lr, shift=shift, shift_next=shift_next, **kwargs)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the decoder."""
        latent = self.policy.projection_dim
        actions = spaces.flatdim(self.action_space)
        shape = self.observation_space.shape or ()
        return {"decoder": SaliencyDecoder(latent, actions, shape, self.decoder_filters)}

    # Consistency (the critic's loss).

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the TD error, and how much Q values change when the rest is blanked out.

        Gradients flow through both sides, whole and blanked.
        """
        target = self.td_target(batch)
        if not self.consistency_weight:
            return self.q_error(batch.obs, batch.action, target)
        kept = self.salient(batch.obs, batch.action)
        pictures = torch.cat([batch.obs, blank_out(batch.obs, kept)])
        whole, blanked = self._q_values(pictures, torch.cat([batch.action] * 2)).chunk(2)
        consistency = _half_squares(whole, blanked)
        self.note("consistency", consistency)
        self.note("kept", kept.float().mean())
        return _half_squares(whole, target) + self.consistency_weight * consistency

    def salient(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return the pixels that the first Q value depends on most, bool `(B, k, H, W)`.

        A constant for every loss.

        Args:
            obs: Float pictures `(B, 3k, H, W)`, 0-255.
            action: `(B, A)` in [-1, 1].
        """
        gradients = guided_gradients(lambda o: self._q_values(o, action)[:, 0], obs, self.critic)
        return quantile_mask(per_pixel(gradients), self.quantile)

    def attention(self, obs: Tensor) -> Tensor:
        """Return the newest frame's salient pixels for the policy's action, 0 or 1."""
        action = self.policy._predict(obs, deterministic=True)
        return self.salient(obs, action)[:, -1].float()

    # Prediction (the auxiliary loss).

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of predicting, under an overlay, what is salient without it."""
        if not self.aux_lr:
            return {}
        # Anew: the critic has learned since its own loss asked.
        kept = self.salient(batch.obs, batch.action)
        logits = self.predict_salient(self.augmentation(batch.obs), batch.action)
        known = kept.repeat_interleave(3, dim=1).to(logits.dtype)
        return {"saliency_loss": F.binary_cross_entropy_with_logits(logits, known)}

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Train the decoder, and the critic's trunk and projection."""
        decoder = list(self.extras["decoder"].parameters())
        return [{"params": decoder}, {"params": self._critic().encoder_parameters()}]

    def predict_salient(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return the decoder's logits `(B, 3k, H, W)`: one for every number of `obs`.

        Args:
            obs: Float pictures `(B, 3k, H, W)`, 0-255.
            action: `(B, A)` in [-1, 1].
        """
        features = self._critic().projection(self.policy.encode(self.encode_inputs(obs)))
        return self.extras["decoder"](features, action)

    # Parts and construction.

    def _q_values(self, obs: Tensor, action: Tensor) -> Tensor:
        return self.policy.q_values(self.policy.encode(self.encode_inputs(obs)), action)

    def _critic(self) -> PixelCritic:
        critic = self.policy.critic
        if not isinstance(critic, PixelCritic):
            raise ValueError(
                "SGQN trains the encoder that actor and critic share, and share_encoder=False "
                "builds none. Leave it out of policy_kwargs"
            )
        return critic

    def _setup_model(self) -> None:
        super()._setup_model()
        # SB3's `optimizer_kwargs` would reach the actor too.
        for group in self.critic.optimizer.param_groups:
            group["weight_decay"] = self.critic_weight_decay


def blank_out(obs: Tensor, kept: Tensor) -> Tensor:
    """Replace what is not kept by one random value, the same for the whole batch.

    Args:
        obs: Float pictures `(B, 3k, H, W)`; the value lies between their least and greatest.
        kept: Bool, one mask per frame, `(B, k, H, W)`.
    """
    low, high = obs.aminmax()
    value = low + (high - low) * torch.rand((), device=obs.device, dtype=obs.dtype)
    return torch.where(kept.repeat_interleave(3, dim=1), obs, value)


def _half_squares(q_values: Tensor, others: Tensor) -> Tensor:
    """Return `1/2 sum_i mean (Q_i - other_i)^2` of `(B, heads)`, as `VisualSAC.q_error` has it."""
    return 0.5 * (q_values - others).square().mean(0).sum()
