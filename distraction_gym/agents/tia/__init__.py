"""TIA: Dreamer with a second model, for what rewards do not depend on (arXiv 2106.15612)."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

import numpy.typing as npt
import torch
from stable_baselines3.common.utils import update_learning_rate
from torch import Tensor
from torch.optim import Adam, Optimizer

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.dreamer import MODEL_CLIP, Dreamer, Learned, Sequences, WorldModel
from distraction_gym.agents.dreamer.panels import as_bytes
from distraction_gym.agents.dreamer.world_model import as_pictures
from distraction_gym.agents.tia.drawing import Blend, MaskedDecoder, laid_over
from distraction_gym.agents.tia.world_model import DISTRACTOR, DRAWING, Distraction, TIAWorld

__all__ = ["TIA", "Blend", "Distraction", "MaskedDecoder", "TIAWorld", "laid_over"]


class TIA(Dreamer):
    """Dreamer with task informed abstractions: two world models share each picture out.

    The task's predicts rewards, acts and imagines. The distractor's must not know rewards: an
    adversary learns to find them in its states, and the states learn to withhold them.

    Args:
        *args: As `Dreamer`; `policy_kwargs` sizes both models.
        alone_scale: Weight of the picture that the distractor's model draws alone.
        adversarial_scale: Weight of withholding rewards; to be tuned to the task.
        adversary_steps: Steps of the adversary in each update, before its gradient is used.
        adversary_lr: Adam's rate for it.
        **kwargs: As `Dreamer`.
    """

    world_model_class: ClassVar[type[WorldModel]] = TIAWorld

    def __init__(
        self,
        *args: Any,
        alone_scale: float = 1.5,
        adversarial_scale: float = 20_000.0,
        adversary_steps: int = 20,
        adversary_lr: float = 6e-4,
        **kwargs: Any,
    ) -> None:
        self.alone_scale, self.adversarial_scale = alone_scale, adversarial_scale
        self.adversary_steps, self.adversary_lr = adversary_steps, adversary_lr
        super().__init__(*args, **kwargs)

    def world_model_kwargs(self) -> dict[str, Any]:
        """Add the distractor's weights."""
        own = {"alone_scale": self.alone_scale, "adversarial_scale": self.adversarial_scale}
        return {**super().world_model_kwargs(), **own}

    def extra_optimizers(self) -> dict[str, Optimizer]:
        """Step the distractor, the decoders and the adversary apart from the task's model."""
        rate, extras = self.lr_schedule(1), self.extras
        distractor = chain(*(extras[name].parameters() for name in DISTRACTOR))
        drawing = chain(
            self.policy.world_model.decoder.parameters(),
            *(extras[name].parameters() for name in DRAWING),
        )
        return {
            "distractor": Adam(distractor, rate),
            "drawing": Adam(drawing, rate),
            "adversary": Adam(extras["adversary"].parameters(), self.adversary_lr),
        }

    def update_model(self, batch: Sequences) -> tuple[Learned, dict[str, Tensor]]:
        """Step the adversary on the distractor's states, and then both models and what draws."""
        world, stepped = self.policy.world_model, self.optimizers
        assert isinstance(world, TIAWorld)
        for optimizer in (stepped.distractor, stepped.drawing):
            update_learning_rate(optimizer, stepped.model.param_groups[0]["lr"])
        distraction = world.observe_distractor(batch)
        losses = self._train_adversary(world, distraction.states.features.detach(), batch.reward)
        learned = world.learn(batch, distraction)
        # Apart, or the adversarial gradient, which is large, would shrink the task's steps.
        models = [stepped.model, stepped.distractor, stepped.drawing]
        return learned, losses | descend(learned.losses, models, MODEL_CLIP, apart=True)

    def views(self, obs: npt.NDArray[Any] | Tensor) -> dict[str, npt.NDArray[Any]]:
        """Return Dreamer's views, the task's picture among them; the mask; and all together."""
        world = self.policy.world_model
        assert isinstance(world, TIAWorld)
        with torch.no_grad():
            pictures = self._pictures(obs)
            frame = as_pictures(self.encode_inputs(pictures), pictures)
            features = self._first_state(pictures).features
            picture, mask = world.draw(features, world.first_distraction(frame).features)
        together = as_bytes(picture[0].permute(1, 2, 0))
        return {**super().views(obs), "mask": mask[0, 0].cpu().numpy(), "together": together}

    def _train_adversary(
        self, world: TIAWorld, others: Tensor, reward: Tensor
    ) -> dict[str, Tensor]:
        """Let the adversary find rewards `(B, T)` in features `(B, T, F)`; return its last loss."""
        losses: dict[str, Tensor] = {}
        for _ in range(self.adversary_steps):
            loss = {"adversary_loss": world.adversary_loss(others, reward)}
            losses = descend(loss, [self.optimizers.adversary], MODEL_CLIP)
        return losses
