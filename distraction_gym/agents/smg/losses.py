"""SMG's losses and the pictures that they compare, as plain functions.

Pixels are 0-255 throughout: the weights of the paper belong to that range. Equation numbers are
those of the paper (arXiv 2410.10834); formulas are those of its official code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.common.augmentations import Overlay
from distraction_gym.agents.smg.networks import WHITE, Separator
from distraction_gym.registry import Registry

if TYPE_CHECKING:
    from distraction_gym.assets.pictures import PictureSource


PixelLoss = Callable[[Tensor, Tensor], Tensor]


def absolute(drawn: Tensor, true: Tensor) -> Tensor:
    """Return the mean absolute error of pixels, 0-255: the official code's loss."""
    return F.l1_loss(drawn, true)


def squared(drawn: Tensor, true: Tensor) -> Tensor:
    """Return the mean squared error of pixels, 0-255, over 255: as large as `absolute` at most."""
    return F.mse_loss(drawn, true) / WHITE


PIXEL_LOSSES: Registry[PixelLoss] = Registry("pixel loss")
"""How pictures are compared. The absolute error is slow to draw small things at all: the median of
a pixel is the background."""
PIXEL_LOSSES.add("l1", absolute)
PIXEL_LOSSES.add("l2", squared)


class Views(NamedTuple):
    """An update's observations and what was made of them, each `(B, 3k, H, W)`, 0-255."""

    obs: Tensor
    attribution: Tensor
    """The foreground before a random picture: `o * m + p * (1 - m)`."""
    background: Tensor
    """That picture `p`, on every frame."""
    consistency: Tensor
    """What both consistency losses see in place of the observation."""


class ViewMaker:
    """Make the strongly changed pictures of an update.

    Args:
        images: Where the random pictures come from, as for `Overlay`.
    """

    CHANCES = 4
    """One time in four the consistency losses see the attribution augmentation, else overlay."""

    def __init__(self, images: str | PictureSource) -> None:
        self.picture = Overlay(images, alpha=1.0)  # at full weight nothing is left beneath it
        self.overlay = Overlay(images, alpha=0.5)

    def __call__(
        self, obs: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Views:
        """Return the views of `obs`, `(B, 3k, H, W)` 0-255, under masks `(B, k, H, W)`.

        The masks are taken as constants. One draw decides for the whole batch.
        """
        background = self.picture(obs, generator)
        attribution = blend(mask.detach(), obs, background)
        device = "cpu" if generator is None else generator.device
        draw = int(torch.randint(self.CHANCES, (), generator=generator, device=device))
        consistency = self.overlay(obs, generator) if draw else attribution
        return Views(obs, attribution, background, consistency)


def blend(mask: Tensor, inside: Tensor, outside: Tensor | float) -> Tensor:
    """Return `inside * mask + outside * (1 - mask)`, frame by frame.

    Args:
        mask: One per frame, `(B, k, H, W)`.
        inside: `(B, 3k, H, W)`.
        outside: The same, or one value.
    """
    frames = (len(inside), -1, 3, *inside.shape[2:])
    mask = mask.unsqueeze(2)
    if isinstance(outside, Tensor):
        outside = outside.reshape(frames)
    return (inside.reshape(frames) * mask + outside * (1 - mask)).reshape(inside.shape)


def attribution(foreground: Tensor, mask: Tensor) -> Tensor:
    """Return what the method takes for the part that matters: foreground times mask."""
    return blend(mask, foreground, 0.0)


def mask_loss(mask: Tensor, rho: float) -> Tensor:
    """Return `mean over frames of (mean_ij M_ij - rho)^2` (eq. 1) of masks `(B, k, H, W)`."""
    return (mask.mean(dim=(2, 3)) - rho).square().mean()


def squared_error(q_values: Tensor, target: Tensor) -> Tensor:
    """Return `1/2 sum_i mean (Q_i - target_i)^2` of Q values and targets, `(B, heads)`.

    For the TD error and for the consistency of Q (eq. 5): the official code has the half in
    neither, so the weight between them means the same here. Targets are constants.
    """
    pairs = zip(q_values.unbind(1), target.detach().expand_as(q_values).unbind(1), strict=True)
    return 0.5 * torch.stack([F.mse_loss(q, y) for q, y in pairs]).sum()


def separation_losses(
    separator: Separator,
    encode: Callable[[Tensor], Tensor],
    views: Views,
    first: tuple[Tensor, Tensor],
    rho: float,
    compare: PixelLoss = absolute,
) -> dict[str, Tensor]:
    """Return the losses that need single observations only, not yet weighted.

    Args:
        separator: The networks beside the encoder.
        encode: The foreground's encoder: pictures 0-255 -> latents.
        views: The update's pictures.
        first: Foreground and mask of `views.obs`.
        rho: Share of the picture that the mask shall cover.
        compare: The loss between pictures.

    Returns:
        `recon`, `mask` (eq. 1), `back` (eq. 2) and `fore` (eq. 4).
    """
    foreground, mask = first
    pictures = torch.cat([views.obs, views.attribution])
    background, filled_in = separator.background(pictures).chunk(2)
    again = attribution(*separator.foreground(encode(views.consistency)))
    return {
        "recon": compare(blend(mask, foreground, background), views.obs),
        "mask": mask_loss(mask, rho),
        "back": compare(filled_in, views.background),
        "fore": compare(again, attribution(foreground, mask).detach()),
    }
