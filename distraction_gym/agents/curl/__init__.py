"""CURL: contrastive unsupervised representations (arXiv 2004.04136)."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.common.auxiliary import AuxiliaryLosses
from distraction_gym.agents.common.policy import PixelCritic
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.rad import RAD

__all__ = ["CURL", "BilinearLogits"]


class BilinearLogits(nn.Module):
    """How alike each query is to each key: `q W k`, less the row's largest; `W` from U(0, 1).

    Args:
        size: Numbers in a query and in a key.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(size, size))

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return `(B, B)` logits of queries `(B, size)`, in rows, and keys `(B, size)`."""
        logits = queries @ self.weight @ keys.T
        return logits - logits.max(dim=1, keepdim=True).values


class CURL(AuxiliaryLosses, RAD):
    """RAD whose encoder also learns to tell which two crops are of one picture.

    Args:
        *args: As `RAD`.
        **kwargs: As `RAD` and `AuxiliaryLosses`.
    """

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the bilinear comparison."""
        return {"logits": BilinearLogits(self.policy.projection_dim)}

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the contrastive loss of the batch's crops and of second crops of the same."""
        assert batch.raw is not None
        return {"curl_loss": self.contrast(batch.obs, self.random_crop(batch.raw.float()))}

    def contrast(self, obs: Tensor, positive: Tensor) -> Tensor:
        """Return InfoNCE: row i of `positive` is the one that belongs to row i of `obs`.

        Args:
            obs: Pictures `(B, 3k, H, W)`, 0-255, for the online encoder.
            positive: The same otherwise cropped, for the target's, which learns nothing here.
        """
        queries = self._vectors(obs)
        with torch.no_grad():
            keys = self._vectors(positive, target=True)
        logits = self.extras["logits"](queries, keys)
        own = torch.arange(len(logits), device=logits.device)
        self.note("curl_accuracy", (logits.argmax(dim=1) == own).float().mean())
        return F.cross_entropy(logits, own)

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Have the loss train trunk and projection of the critic, and the comparison."""
        encoder = cast(PixelCritic, self.critic).encoder_parameters()
        return [{"params": encoder}, {"params": self.extras["logits"].parameters()}]

    def _vectors(self, obs: Tensor, target: bool = False) -> Tensor:
        critic = cast(PixelCritic, self.critic_target if target else self.critic)
        return critic.projection(self.policy.encode(self.encode_inputs(obs), target))
