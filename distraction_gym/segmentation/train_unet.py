"""Training of the U-Net."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from distraction_gym.segmentation.fitting import Note, fit, silent
from distraction_gym.segmentation.samples import Samples
from distraction_gym.segmentation.unet import UNet


def train_unet(
    samples: Samples,
    *,
    start: UNet | None = None,
    steps: int = 1500,
    batch: int = 32,
    lr: float | None = None,
    images: str = "generated",
    seed: int = 0,
    device: str = "cpu",
    note: Note = silent,
) -> UNet:
    """Train a U-Net on frames in disguise: BCE plus Dice, AdamW, a one-cycle learning rate.

    Args:
        samples: Square frames with their labels.
        start: The network whose weights it starts from; None: new ones.
        steps: Updates.
        batch: Frames per update.
        lr: The highest learning rate; None: 3e-3, and 1e-3 where a network is given.
        images: What is laid behind the things (see `Disguise`).
        seed: Of the weights, the draws and the disguises.
        device: Where it is trained.
        note: Called with the step and the loss after every update.

    Returns:
        The network on the CPU, ready to predict.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = (copy.deepcopy(start) if start else UNet()).to(device)
    network.size, network.about = samples.frames.shape[1], {}
    lr = lr or (1e-3 if start else 3e-3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)
    fit(
        network,
        samples,
        loss_of,
        optimizer,
        rates,
        steps=steps,
        batch=batch,
        images=images,
        seed=seed,
        note=note,
    )
    return network.cpu().eval()


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Return BCE plus one minus the Dice coefficient, the mean over frames `(B, H, W)`.

    BCE sees pixels, of which things may have few; Dice sees each frame's overlap.
    """
    chance = logits.sigmoid()
    overlap = 2 * (chance * truth).sum((1, 2)) + 1
    dice = overlap / (chance.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + (1 - dice).mean()
