"""DreamerPro: Dreamer that assigns pictures to prototypes (arXiv 2110.14565)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from distraction_gym.agents.dreamer import Dreamer, Learned, Sequences, WorldModel
from distraction_gym.agents.dreamerpro.prototypes import Prototypes, sinkhorn
from distraction_gym.agents.dreamerpro.shifting import shifted, two_views
from distraction_gym.agents.dreamerpro.world_model import Prototyping, ProWorld

__all__ = [
    "DreamerPro",
    "ProWorld",
    "Prototypes",
    "Prototyping",
    "shifted",
    "sinkhorn",
    "two_views",
]


class DreamerPro(Dreamer):
    """Dreamer without decoder: states tell which prototypes a picture belongs to.

    A batch is seen twice, shifted at random; acting sees pictures as they are.

    Args:
        *args: As `Dreamer`.
        prototypes: How many there are.
        projection: Numbers of each.
        temperature: Divides nearness where assignments are predicted.
        sinkhorn_epsilon: Divides it where they are made; 0.05 outside DMC.
        sinkhorn_iterations: Rounds of Sinkhorn-Knopp.
        shift: Largest shift of a view, in pixels.
        norm_scale: Weight of the loss that keeps projections at length 1; 0 in the paper where
            there is no video behind.
        reward_scale: Weight of the reward loss.
        slow_rate: Rate at which the copies follow that make assignments.
        freeze_updates: Updates before prototypes move.
        **kwargs: As `Dreamer`.
    """

    world_model_class: ClassVar[type[WorldModel]] = ProWorld

    def __init__(
        self,
        *args: Any,
        prototypes: int = 2500,
        projection: int = 32,
        temperature: float = 0.1,
        sinkhorn_epsilon: float = 0.0125,
        sinkhorn_iterations: int = 3,
        shift: float = 3.0,
        norm_scale: float = 1.0,
        reward_scale: float = 1.0,
        slow_rate: float = 0.05,
        freeze_updates: int = 10_000,
        **kwargs: Any,
    ) -> None:
        self.shift = shift
        self.prototyping = {
            "prototypes": prototypes,
            "projection": projection,
            "temperature": temperature,
            "sinkhorn_epsilon": sinkhorn_epsilon,
            "sinkhorn_iterations": sinkhorn_iterations,
            "norm_scale": norm_scale,
            "reward_scale": reward_scale,
            "slow_rate": slow_rate,
            "freeze_updates": freeze_updates,
        }
        super().__init__(*args, **kwargs)

    def world_model_kwargs(self) -> dict[str, Any]:
        """Add how prototypes are used."""
        return {**super().world_model_kwargs(), "prototyping": self.prototyping}

    def augment_batch(self, batch: Sequences) -> Sequences:
        """Show two views of every sequence."""
        return two_views(batch, self.shift)

    def extra_updates(self, batch: Sequences, learned: Learned) -> dict[str, Tensor]:
        """Let the slow copies follow."""
        world = self.policy.world_model
        assert isinstance(world, ProWorld)
        world.follow()
        return {}
