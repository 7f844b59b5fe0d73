"""Linear layers of a loop over time, whose weights get their gradients once, after the loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LateLinear:
    """A linear layer that is applied at each step of a loop, and adds what is known beforehand.

    Autograd would add up the weight's gradient step by step: with the paper's sizes 20 MB are
    written and added for each step of a batch of a few rows. One product of all steps' inputs and
    gradients gives the same.

    Args:
        weight: `(out, in)`.
        added: What each step's result is added to, `(B, T, out)`: a bias, or other inputs' share.
    """

    def __init__(self, weight: Tensor, added: Tensor) -> None:
        self.turned = weight.detach().t()
        self.inputs: list[Tensor] = []
        self.added = _Late.apply(weight, added, self.inputs).unbind(1)

    @classmethod
    def of(cls, linear: nn.Linear, batch: int, steps: int) -> LateLinear:
        """Return a layer as it is, for so many steps."""
        bias = linear.weight.new_zeros(()) if linear.bias is None else linear.bias
        return cls(linear.weight, bias.expand(batch, steps, linear.out_features))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the next step's result `(B, out)` of its inputs `(B, in)`."""
        result = torch.addmm(self.added[len(self.inputs)], inputs, self.turned)
        self.inputs.append(inputs.detach())
        return result


class _Late(torch.autograd.Function):
    """Hands on what is added; gets the gradients of all steps, once all of them are known."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, added: Tensor, inputs: list[Tensor]) -> Tensor:
        ctx.inputs = inputs
        return added.view_as(added)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        inputs = torch.stack(ctx.inputs, dim=1).flatten(0, 1)
        needed = ctx.needs_input_grad[0]
        return grad.flatten(0, 1).t() @ inputs if needed else None, grad, None
