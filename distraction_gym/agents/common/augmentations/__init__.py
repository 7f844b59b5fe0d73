"""Augmentations of stacked frames: one random draw per sample, shared by its frames.

All take and return float pictures `(B, 3k, H, W)` with values 0-255, on any device, and never
write into their input nor return it. Randomness comes from the generator they are given (of any
device), else from torch's own: a checkpoint that restores torch's state also restores what they
will draw.
"""

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, Augmentation
from distraction_gym.agents.common.augmentations.colors import ColorJitter
from distraction_gym.agents.common.augmentations.compose import Augment, Compose, build
from distraction_gym.agents.common.augmentations.cutout import Cutout
from distraction_gym.agents.common.augmentations.overlay import Overlay
from distraction_gym.agents.common.augmentations.random_conv import RandomConv
from distraction_gym.agents.common.augmentations.rotate import Rotate
from distraction_gym.agents.common.augmentations.spectrum import SpectrumMask
from distraction_gym.agents.common.augmentations.windows import (
    RandomCrop,
    RandomShift,
    center_crop,
)

__all__ = [
    "AUGMENTATIONS",
    "Augment",
    "Augmentation",
    "ColorJitter",
    "Compose",
    "Cutout",
    "Overlay",
    "RandomConv",
    "RandomCrop",
    "RandomShift",
    "Rotate",
    "SpectrumMask",
    "build",
    "center_crop",
]
