"""What reads the model's features: reward, continuation, actor and critic."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.common.symlog import two_hot_log_prob, two_hot_mean
from distraction_gym.agents.dreamer.distributions import BoundedNormal
from distraction_gym.agents.dreamer.layers import MLP
from distraction_gym.agents.dreamer.ones import Ones

BINS = 255


class TwoHotHead(MLP):
    """Predicts a number of any size, as a distribution over bins of its symlog.

    It starts with an output layer of zeros, and so predicts 0 everywhere: random rewards and
    values would be learned from before they are unlearned.
    """

    def __init__(self, features: int, units: int, layers: int) -> None:
        super().__init__(features, BINS, units, layers, scale=0.0)

    def mean(self, features: Tensor, ones: Ones | None = None) -> Tensor:
        """Return predictions `(...)` of features `(..., F)`."""
        return two_hot_mean(self(features, ones))

    def loss(self, features: Tensor, *targets: Tensor, ones: Ones | None = None) -> Tensor:
        """Return the cross-entropy `(...)` with each of the targets `(...)`, summed over them."""
        logits = self(features, ones)
        return -sum((two_hot_log_prob(logits, target) for target in targets), 0.0 * logits[..., 0])


class ContinueHead(MLP):
    """Predicts how likely an episode goes on (1 at a time limit, 0 at a termination)."""

    def __init__(self, features: int, units: int, layers: int) -> None:
        super().__init__(features, 1, units, layers, scale=1.0)

    def mean(self, features: Tensor, ones: Ones | None = None) -> Tensor:
        """Return probabilities `(...)` of features `(..., F)`."""
        return self(features, ones).squeeze(-1).sigmoid()

    def loss(self, features: Tensor, goes_on: Tensor) -> Tensor:
        """Return the cross-entropy `(...)` with 1 where the episode goes on and 0 elsewhere."""
        logits = self(features).squeeze(-1)
        return F.binary_cross_entropy_with_logits(logits, goes_on, reduction="none")


class Actor(MLP):
    """Chooses actions."""

    def __init__(self, features: int, actions: int, units: int, layers: int) -> None:
        super().__init__(features, 2 * actions, units, layers, scale=1.0)

    def distribution(self, features: Tensor) -> BoundedNormal:
        """Return the distribution of actions `(..., A)` given features `(..., F)`, detached."""
        return BoundedNormal.of(*self(features.detach()).chunk(2, dim=-1))

    def late_distribution(self, batch: int, steps: int) -> Callable[[Tensor], BoundedNormal]:
        """Return `distribution` for so many steps of a loop."""
        network = self.late(batch, steps)
        return lambda features: BoundedNormal.of(*network(features.detach()).chunk(2, dim=-1))
