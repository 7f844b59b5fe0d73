"""RePo: Dreamer that keeps no more of pictures than rewards take (arXiv 2309.00082)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from stable_baselines3.common.utils import update_learning_rate
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.dreamer import MODEL_CLIP, Dreamer, Learned, Sequences, WorldModel
from distraction_gym.agents.dreamer.distributions import balanced_kl
from distraction_gym.agents.dreamer.world_model import pixel_error

__all__ = ["Multiplier", "RePo", "RePoWorld"]


class Multiplier(nn.Module):
    """The constraint's dual variable, kept as its logarithm.

    Args:
        beta: Its first value, above 0.
        target: What the constrained number shall not exceed.
    """

    def __init__(self, beta: float, target: float) -> None:
        super().__init__()
        self.target = target
        self.log_beta = nn.Parameter(torch.tensor(math.log(beta)))

    @property
    def beta(self) -> Tensor:
        """What the constraint weighs, detached: the model's loss must not lower it."""
        return self.log_beta.detach().exp()

    def penalty(self, value: Tensor) -> Tensor:
        """Return what the model pays for exceeding the target, negative below it."""
        return self.beta * (value - self.target)

    def loss(self, value: Tensor) -> Tensor:
        """Return what moves `log_beta`: down while `value` is below the target, up above it."""
        return -self.log_beta * (value.detach() - self.target)


class RePoWorld(WorldModel):
    """Reward and continuation shape the state, within a number of nats; the decoder only watches.

    Args:
        *args: As `WorldModel`.
        beta: The multiplier's first value.
        target_kl: Nats a step that pictures may add to what the model expects.
        **kwargs: As `WorldModel`.
    """

    def __init__(self, *args: Any, beta: float, target_kl: float, **kwargs: Any) -> None:
        self.multiplier_kwargs = {"beta": beta, "target": target_kl}
        super().__init__(*args, **kwargs)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Add the multiplier."""
        return {"multiplier": Multiplier(**self.multiplier_kwargs)}

    def image_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Return nothing: no picture is described."""
        return {}

    def probe_loss(self, batch: Sequences, features: Tensor) -> Tensor:
        """Return the decoder's squared error on detached features `(B, T, F)`, a scalar."""
        return pixel_error(self.decoder(features.detach()), self.target(batch)).mean()

    def kl_loss(self, posterior: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """Return beta times what the balanced KL is above its target, from the first nat on."""
        halves = balanced_kl(posterior, prior, self.free_nats, self.dyn_scale, self.rep_scale)
        return {"kl_loss": self.extras["multiplier"].penalty(sum(halves.values()))}  # type: ignore[operator]


class RePo(Dreamer):
    """Dreamer without reconstruction: rewards shape a state that tells little else.

    What pictures add to the state, the KL between posterior and prior, is kept below `target_kl`
    by a multiplier that is learned. The decoder is trained on detached features, for people to
    see what is left of the pictures.

    Args:
        *args: As `Dreamer`.
        target_kl: Nats a step that pictures may add.
        beta: The multiplier's first value: tiny, so that rewards shape the state first.
        beta_lr: Adam's rate for the multiplier's logarithm.
        prior_share: Share of the KL that moves the prior; the rest moves the posterior.
        **kwargs: As `Dreamer`, but for `free_nats`, `dyn_scale` and `rep_scale`, which follow.
    """

    world_model_class: ClassVar[type[WorldModel]] = RePoWorld

    def __init__(
        self,
        *args: Any,
        target_kl: float = 3.0,
        beta: float = 1e-5,
        beta_lr: float = 1e-4,
        prior_share: float = 5 / 6,
        **kwargs: Any,
    ) -> None:
        self.target_kl, self.beta, self.beta_lr = target_kl, beta, beta_lr
        self.prior_share = prior_share
        super().__init__(
            *args, free_nats=0.0, dyn_scale=prior_share, rep_scale=1 - prior_share, **kwargs
        )

    def world_model_kwargs(self) -> dict[str, Any]:
        """Add the constraint."""
        own = {"beta": self.beta, "target_kl": self.target_kl}
        return {**super().world_model_kwargs(), **own}

    def extra_optimizers(self) -> dict[str, Optimizer]:
        """Step the decoder apart, too: its gradient must not clip the model's."""
        decoder = self.policy.world_model.decoder.parameters()
        multiplier = self.extras["multiplier"].parameters()
        return {
            "decoder": Adam(decoder, self.lr_schedule(1)),
            "multiplier": Adam(multiplier, self.beta_lr),
        }

    def extra_updates(self, batch: Sequences, learned: Learned) -> dict[str, Tensor]:
        """Step the probe and the multiplier."""
        world, multiplier = self.policy.world_model, self.extras["multiplier"]
        assert isinstance(world, RePoWorld) and isinstance(multiplier, Multiplier)
        rate = self.optimizers.model.param_groups[0]["lr"]
        update_learning_rate(self.optimizers.decoder, rate)
        probe = {"image_loss": world.probe_loss(batch, learned.states.features)}
        losses = descend(probe, [self.optimizers.decoder], MODEL_CLIP)
        # The shares make one: the balanced KL is the KL itself, and differs in its gradient alone.
        dual = {"multiplier_loss": multiplier.loss(learned.notes["kl"])}
        losses |= descend(dual, [self.optimizers.multiplier])
        return {**losses, "beta": multiplier.beta}
