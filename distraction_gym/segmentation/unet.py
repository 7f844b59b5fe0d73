"""A small U-Net: pictures in, the probability that a pixel shows what matters out."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distraction_gym.assets.files import atomic_file
from distraction_gym.errors import AssetsMissing, BrokenAsset

FORMAT = 1
"""Version of the files' layout; a reader takes only its own."""
WIDTHS = (8, 16, 32, 64)


class UNet(nn.Module):
    """Convolutions that halve the picture, and others that double it again, with skips between.

    Source: Ronneberger et al. 2015, with batch norm, padding and a fraction of the channels.

    Args:
        widths: Channels at full size, at half, at a quarter, ...
        size: Height and width of the pictures it was trained on; others are scaled to it.

    Attributes:
        about: What it was trained on and how well it did, in JSON types; kept in its file.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, size: int = 84) -> None:
        super().__init__()
        self.widths, self.size = tuple(widths), size
        self.about: dict[str, Any] = {}
        pairs = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        self.first = nn.Sequential(_layer(3, widths[0]), _layer(widths[0], widths[0]))
        self.downs = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), _layer(shallow, deep), _layer(deep, deep))
            for shallow, deep in pairs
        )
        self.ups = nn.ModuleList(
            _layer(deep + shallow, shallow) for shallow, deep in reversed(pairs)
        )
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits `(B, H, W)` of float pictures `(B, 3, H, W)`, RGB, 0-255."""
        height, width = pictures.shape[-2:]
        multiple = 2 ** len(self.downs)
        padding = (0, -width % multiple, 0, -height % multiple)
        x = self.first(F.pad(pictures / 127.5 - 1, padding, mode="replicate"))
        skips = [x]
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.ups:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = up(torch.cat([x, skips.pop()], dim=1))
        logits: Tensor = self.last(x)[:, 0, :height, :width]
        return logits


def _layer(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def save(network: UNet, path: Path) -> None:
    """Write a network's shape and weights, in full or not at all."""
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    shape = {"widths": list(network.widths), "size": network.size}
    with atomic_file(path) as file:
        torch.save({"format": FORMAT, **shape, "about": network.about, "state": state}, file)


def load(path: Path) -> UNet:
    """Read a network. The file is data: reading a stranger's runs no code.

    Raises:
        AssetsMissing: if there is no such file.
        BrokenAsset: for a file that is no such network.
    """
    if not path.is_file():
        raise AssetsMissing(
            f"no segmentation network {path}. Type  distraction-gym train-segmenter --model unet "
            f"--env ID --out {path}  or take weights=None for the one that comes with the package"
        )
    found = _read(path)
    if found.get("format") != FORMAT:
        raise BrokenAsset(f"{path} has format {found.get('format')}, expected {FORMAT}")
    try:
        network = UNet(found["widths"], found["size"])
        network.load_state_dict(found["state"])
        network.about = dict(found.get("about", {}))
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        raise BrokenAsset(f"{path} is damaged: {error}") from error
    return network.eval()


def shipped() -> UNet:
    """Read the network that comes with the package, trained on the mini suite and on DMC-GB."""
    with resources.as_file(resources.files(__package__) / "weights" / "unet.pt") as path:
        return load(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise BrokenAsset(
            f"{path} is no file of a U-Net (a YOLO's is read by FastSAMSegmenter): {error}"
        ) from error
    return found if isinstance(found, dict) else {}
