"""The loop that trains a network on frames in disguise, whichever network it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from distraction_gym.seeding import stream
from distraction_gym.segmentation.disguise import Disguise
from distraction_gym.segmentation.samples import Samples

Note = Callable[[int, float], None]
"""Is called with the step and the loss after every update."""


def silent(step: int, loss: float) -> None:
    """Note nothing."""


def fit(
    network: nn.Module,
    samples: Samples,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    rates: torch.optim.lr_scheduler.LRScheduler,
    *,
    steps: int,
    batch: int,
    images: str,
    seed: int,
    note: Note,
) -> None:
    """Train a network in place, wherever its weights are.

    Args:
        network: Float pictures `(B, 3, H, W)`, 0-255, in; logits `(B, H, W)` out.
        samples: Square frames with their labels. Draws are with replacement: one frame is enough.
        loss_of: Of the logits and the truth `(B, H, W)`, 1 where a frame shows what matters.
        optimizer: Of the network's weights.
        rates: Its learning rates; they step with every update.
        steps: Updates.
        batch: Frames per update, each in a disguise of its own.
        images: What is laid behind the things (see `Disguise`).
        seed: Of the draws and the disguises.
        note: Called after every update.
    """
    rng = stream(seed, "segmenter")
    disguise = Disguise(samples.frames.shape[1], images, seed)
    device = next(network.parameters()).device
    network.train()
    for step in range(1, steps + 1):
        picked = rng.integers(len(samples.frames), size=batch)
        seen = disguise(Samples(samples.frames[picked], samples.labels[picked]), rng)
        loss = loss_of(network(_pictures(seen).to(device)), _truth(seen).to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rates.step()
        note(step, loss.item())


def _pictures(samples: Samples) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples.frames.transpose(0, 3, 1, 2))).float()


def _truth(samples: Samples) -> Tensor:
    return torch.from_numpy(samples.foreground).float()
