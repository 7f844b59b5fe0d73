"""When teaching ends: a fixed step, or when the student has caught up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOOK_EVERY = 200
"""Updates between looks at how far the student agrees with its teacher."""
PATIENCE = 5
"""Looks in a row without a change after which there is nothing left to teach."""
CHANGE = 0.01
"""What counts as a change of intersection over union."""
_DECAY = 0.99


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean intersection over union of masks `(N, 1, H, W)`, cut at one half."""
    ours, theirs = student > 0.5, teacher > 0.5
    shared = (ours & theirs).flatten(1).sum(dim=1)
    either = (ours | theirs).flatten(1).sum(dim=1)
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0).mean()


class TeachingClock(nn.Module):
    """Notices when the agreement of student and teacher has settled.

    A fall counts as a change too: student and teacher agree at once as long as the sampler takes
    every mask, and less while it learns to drop some.

    Not in the paper, which fixes the step. Its state is saved with the model.
    """

    level: Tensor
    mark: Tensor
    updates: Tensor
    waited: Tensor
    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("level", "mark"):
            self.register_buffer(name, torch.zeros(()))
        for name in ("updates", "waited"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        self.register_buffer("done", torch.zeros((), dtype=torch.bool))

    def observe(self, agreed: Tensor) -> None:
        """Take note of one update's agreement, a scalar."""
        self.updates += 1
        warm = 1.0 - _DECAY ** self.updates.float()  # the average starts at 0
        self.level.mul_(_DECAY).add_((1.0 - _DECAY) * agreed.detach())
        if self.updates % LOOK_EVERY:
            return
        level = self.level / warm
        if (level - self.mark).abs() > CHANGE:
            self.mark.copy_(level)
            self.waited.zero_()
            return
        self.waited += 1
        self.done.fill_(bool(self.waited >= PATIENCE))
