"""What augmentations share: their form, their registry, and where random numbers are drawn."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from distraction_gym.registry import Registry

WHITE = 255.0


class Augmentation(Protocol):
    """What an augmentation can do."""

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return augmented pictures, like `obs`: float `(B, 3k, H, W)`, 0-255."""


AUGMENTATIONS: Registry[type[Augmentation]] = Registry("augmentation")


def as_frames(obs: Tensor) -> Tensor:
    """View a stack frame by frame: `(B, 3k, H, W)` -> `(B, k, 3, H, W)`.

    Raises:
        TypeError: if the pictures are not float.
        ValueError: if they are no stacks of RGB frames.
    """
    if obs.ndim != 4 or obs.shape[1] % 3:
        raise ValueError(f"expected stacked RGB frames (B, 3k, H, W), got {tuple(obs.shape)}")
    if not obs.is_floating_point():
        raise TypeError(f"expected float pictures with values 0-255, got {obs.dtype}: obs.float()")
    return obs.reshape(len(obs), -1, 3, *obs.shape[2:])


def integers(
    obs: Tensor, high: int, shape: tuple[int, ...], generator: torch.Generator | None
) -> Tensor:
    """Draw whole numbers 0..high-1 for pictures, int64 of a shape, on their device."""
    place = drawing_place(obs, generator)
    return torch.randint(high, shape, generator=generator, device=place).to(obs.device)


def uniform(
    obs: Tensor, low: float, high: float, shape: tuple[int, ...], generator: torch.Generator | None
) -> Tensor:
    """Draw numbers from U(low, high) for pictures, on their device and of their dtype."""
    place = drawing_place(obs, generator)
    drawn = torch.rand(shape, generator=generator, device=place)
    return (low + (high - low) * drawn).to(obs.device, obs.dtype)


def drawing_place(obs: Tensor, generator: torch.Generator | None) -> torch.device:
    """Return where numbers are drawn: a generator draws on its own device only."""
    return obs.device if generator is None else generator.device


def number(generator: torch.Generator | None) -> float:
    """Draw one number from U(0, 1) for a whole batch.

    Without a generator on the CPU, whatever the device of the pictures: the GPU need not be
    waited for.
    """
    place = "cpu" if generator is None else generator.device
    return float(torch.rand((), generator=generator, device=place, dtype=torch.float64))
