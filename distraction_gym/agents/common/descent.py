"""One step down named losses, unless one of them, or its gradient, is no finite number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from distraction_gym.errors import TrainingDiverged


def descend(
    losses: Mapping[str, Tensor],
    optimizers: Iterable[Optimizer | None],
    clip: float | None = None,
    apart: bool = False,
) -> dict[str, Tensor]:
    """Step each optimizer down the sum of the losses.

    Args:
        losses: Scalars, by name.
        optimizers: Those whose parameters move; None is passed over.
        clip: Largest norm of the gradient over all their parameters together.
        apart: Clip the gradient of each optimizer's parameters by itself.

    Returns:
        The losses, detached.

    Raises:
        TrainingDiverged: if a loss or the gradient is not finite, before any parameter moves.
    """
    stepped = [optimizer for optimizer in optimizers if optimizer is not None]
    values = torch.stack([loss.detach() for loss in losses.values()])
    if not values.isfinite().all():
        told = zip(losses, values.tolist(), strict=True)
        bad = [f"{name} is {value}" for name, value in told if not math.isfinite(value)]
        raise TrainingDiverged(", ".join(bad))
    for optimizer in stepped:
        optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    groups = [list(_parameters(optimizer)) for optimizer in stepped]
    if not apart:
        # A parameter in two optimizers (a trunk that auxiliary losses train as well) counts once.
        groups = [list({id(p): p for group in groups for p in group}.values())]
    norms = [_norm(group) for group in groups]
    known = [norm.item() for norm in norms]
    if not all(map(math.isfinite, known)):
        found = ", ".join(map(str, known))
        raise TrainingDiverged(f"the gradient of {' + '.join(losses)} has norm {found}")
    for group, norm, value in zip(groups, norms, known, strict=True):
        if clip is not None and value > clip:
            nn.utils.clip_grads_with_norm_(group, clip, norm)
    for optimizer in stepped:
        optimizer.step()
    return dict(zip(losses, values.unbind(), strict=True))


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Spare the gradients of a module's weights; those of its inputs still flow."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def diverged(model: Any, error: TrainingDiverged) -> TrainingDiverged:
    """Say where a model's training diverged, and have `keep_last_good` keep what there was before.

    Args:
        model: An algorithm with `keep_last_good`, which `ResumableCheckpoint` sets.
        error: What `descend` raised.
    """
    path = None if model.keep_last_good is None else model.keep_last_good()
    kept = f"is in {path}" if path else "needs callback=ResumableCheckpoint(folder) in learn"
    return TrainingDiverged(
        f"{error}, in update {model._n_updates} after {model.num_timesteps} steps. The weights "
        f"are those of the last good step; a checkpoint of them {kept}. Look for rewards or "
        "observations that are not finite, or lower learning_rate"
    )


def _parameters(optimizer: Optimizer) -> Iterable[nn.Parameter]:
    return (p for group in optimizer.param_groups for p in group["params"])


def _norm(parameters: list[nn.Parameter]) -> Tensor:
    """Return the norm of all gradients together."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
