"""Layers that every network here is made of, and how their weights start (section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

START_STD = 0.02
DROPOUT = 0.01
"""In the first layer of each Q function."""


class SimNorm(nn.Module):
    """Simplicial normalisation: a softmax over each group of numbers.

    Args:
        group: Numbers of each simplex.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(..., groups * group)`."""
        groups = x.reshape(*x.shape[:-1], -1, self.group)
        return groups.softmax(dim=-1).flatten(-2)


def start(module: nn.Module) -> None:
    """Draw a linear layer's weights from a normal of std 0.02, bias 0; use with `module.apply`.

    Convolutions start as PyTorch has them. Source: the official code.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=START_STD)
        nn.init.zeros_(module.bias)


def dense(inputs: int, outputs: int, activation: nn.Module | None = None) -> nn.Sequential:
    """Return a linear layer, LayerNorm, and an activation: Mish where none is given."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), activation or nn.Mish())


def mlp(inputs: int, units: int, outputs: int, zero: bool = False) -> nn.Sequential:
    """Return two hidden layers and a linear one, whose weights start at zero if asked."""
    last = nn.Linear(units, outputs)
    network = nn.Sequential(dense(inputs, units), dense(units, units), last).apply(start)
    if zero:
        nn.init.zeros_(last.weight)
    return network


class Members(nn.Module):
    """One linear layer of each of several networks, computed at once.

    Args:
        members: How many networks there are.
        inputs: Numbers in.
        outputs: Numbers out.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        weight = nn.init.trunc_normal_(torch.empty(members, inputs, outputs), std=START_STD)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return `(C, B, outputs)` of `(C, B, inputs)`; `chosen` are the members' indices."""
        return torch.baddbmm(self.bias[chosen], x, self.weight[chosen])


class MemberDense(nn.Module):
    """As `dense` with Mish, for each of several networks; dropout comes before LayerNorm."""

    def __init__(self, members: int, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear, self.dropout = Members(members, inputs, outputs), nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(members, 1, outputs))
        self.offset = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return `(C, B, outputs)` of `(C, B, inputs)`."""
        made = self.dropout(self.linear(x, chosen))
        normal = F.layer_norm(made, made.shape[-1:])
        return F.mish(torch.addcmul(self.offset[chosen], normal, self.scale[chosen]))


class Ensemble(nn.Module):
    """Networks of one shape as `mlp` makes them, their last layers' weights at zero.

    Args:
        members: How many there are.
        inputs: Numbers in.
        units: Of the hidden layers.
        outputs: Numbers out.
    """

    def __init__(self, members: int, inputs: int, units: int, outputs: int) -> None:
        super().__init__()
        self.members = members
        self.first = MemberDense(members, inputs, units, DROPOUT)
        self.second = MemberDense(members, units, units)
        self.last = Members(members, units, outputs)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return what the chosen members `(C,)` make of `(..., inputs)`: `(C, ..., outputs)`."""
        flat = x.reshape(-1, x.shape[-1]).expand(len(chosen), -1, -1)
        made: Tensor = self.last(self.second(self.first(flat, chosen), chosen), chosen)
        return made.reshape(len(chosen), *x.shape[:-1], -1)
