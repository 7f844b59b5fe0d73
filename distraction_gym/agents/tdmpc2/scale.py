"""By what the policy prior's loss divides values (section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningScale(nn.Module):
    """The range between the 5th and the 95th percentile of values, at least 1, averaged.

    It starts at 1.

    Args:
        rate: At which it follows.
    """

    value: Tensor
    quantiles: Tensor

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("value", torch.ones(()))
        self.register_buffer("quantiles", torch.tensor([0.05, 0.95]), persistent=False)

    @torch.no_grad()
    def update(self, values: Tensor) -> None:
        """Take account of a batch of values `(B,)`, unless they are no finite numbers."""
        low, high = torch.quantile(values, self.quantiles.to(values.dtype))
        width = (high - low).clamp(min=1.0)
        self.value.lerp_(torch.where(width.isfinite(), width, self.value), self.rate)
