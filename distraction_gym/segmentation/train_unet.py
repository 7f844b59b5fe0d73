"""Training of the U-Net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from distraction_gym.seeding import stream
from distraction_gym.segmentation.disguise import Disguise
from distraction_gym.segmentation.samples import Samples
from distraction_gym.segmentation.unet import UNet


def train_unet(
    samples: Samples,
    *,
    steps: int = 1500,
    batch: int = 32,
    lr: float = 3e-3,
    images: str = "generated",
    seed: int = 0,
    device: str = "cpu",
    note: Callable[[int, float], None] = lambda step, loss: None,
) -> UNet:
    """Train a U-Net on frames in disguise: BCE plus Dice, AdamW, a one-cycle learning rate.

    Args:
        samples: Square frames with their labels.
        steps: Updates.
        batch: Frames per update.
        lr: The highest learning rate.
        images: What is laid behind the things (see `Disguise`).
        seed: Of the weights, the draws and the disguises.
        device: Where it is trained.
        note: Called with the step and the loss after every update.

    Returns:
        The network on the CPU, ready to predict.
    """
    rng = stream(seed, "segmenter")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UNet(size=samples.frames.shape[1]).to(device)
    disguise = Disguise(network.size, images, seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)
    for step in range(1, steps + 1):
        picked = rng.integers(len(samples.frames), size=batch)
        seen = disguise(Samples(samples.frames[picked], samples.labels[picked]), rng)
        loss = loss_of(network(_pictures(seen).to(device)), _truth(seen).to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rates.step()
        note(step, loss.item())
    return network.cpu().eval()


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Return BCE plus one minus the Dice coefficient, the mean over frames `(B, H, W)`.

    BCE sees pixels, of which things may have few; Dice sees each frame's overlap.
    """
    chance = logits.sigmoid()
    overlap = 2 * (chance * truth).sum((1, 2)) + 1
    dice = overlap / (chance.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + (1 - dice).mean()


def _pictures(samples: Samples) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples.frames.transpose(0, 3, 1, 2))).float()


def _truth(samples: Samples) -> Tensor:
    return torch.from_numpy(samples.foreground).float()
