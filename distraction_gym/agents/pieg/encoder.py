"""PIE-G's encoder: frozen ResNet-18 features of each frame, and their differences in time."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from distraction_gym.errors import AssetsMissing, BrokenAsset, require

FILE = "resnet18-f37072fd.pth"
URL = f"https://download.pytorch.org/models/{FILE}"
"""ImageNet weights of torchvision's ResNet-18 (`IMAGENET1K_V1`)."""

STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")


class ResNetEncoder(BaseFeaturesExtractor):
    """Frames `(B, 3k, H, W)` in [0, 1] -> `(B, features)`, of which only the last layer learns.

    ResNet-18 up to `layer2` reads each frame by itself, 84x84 -> 128x11x11. The maps of the frames
    but the first, and what each changed since the frame before, make 2(k - 1) x 128 maps; they
    are flattened into a linear layer and a LayerNorm. A single frame's maps go there alone.
    Inputs are moved to [-0.5, 0.5] and not normalised with ImageNet's statistics. Source: PIE-G
    (arXiv 2212.08860) as RL-ViGen's code has it.

    The backbone stays in evaluation mode: its batch statistics are frozen like its weights. It
    starts with random ones; `load_backbone` fills in what was trained on ImageNet.

    Args:
        observation_space: Channel-first stacked RGB frames.
        features: Size of the last layer.

    Raises:
        MissingExtra: without torchvision.
    """

    def __init__(self, observation_space: spaces.Box, features: int = 1024) -> None:
        models = require("torchvision.models", "pretrained")
        super().__init__(observation_space, features_dim=features)
        network = models.resnet18(weights=None)
        self.backbone = nn.Sequential(*(getattr(network, stage) for stage in STAGES))
        self.backbone.requires_grad_(False).eval()
        with torch.no_grad():
            size = self.maps(torch.zeros(1, *observation_space.shape)).numel()
        self.head = nn.Sequential(nn.Linear(size, features), nn.LayerNorm(features))

    def maps(self, observations: Tensor) -> Tensor:
        """Return the frozen features `(B, maps, h, w)`; a gradient is only ever the picture's."""
        batch = len(observations)
        maps = self.backbone(_frames(observations))
        maps = maps.view(batch, -1, *maps.shape[1:])
        if maps.shape[1] == 1:
            return maps[:, 0]
        later = maps[:, 1:]
        return torch.cat([later, later - maps[:, :-1]], dim=1).flatten(1, 2)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode normalised pictures."""
        return self.head(self.maps(observations).flatten(1))

    def train(self, mode: bool = True) -> ResNetEncoder:
        """Switch the mode of all but the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self


@torch.no_grad()
def calibrate(encoder: ResNetEncoder, pictures: Tensor) -> None:
    """Set the backbone's batch norm to the statistics of pictures `(B, 3k, H, W)` in [0, 1].

    Random filters answer every picture with much the same numbers: on mini-reach, what tells a
    picture's maps from the mean picture's is 0.3 of their norm. After this it is 0.7, and an agent
    that learned nothing on them learns.
    """
    layers = [m for m in encoder.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 1.0  # these pictures alone
        layer.train()
    encoder.backbone(_frames(pictures))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


def _frames(pictures: Tensor) -> Tensor:
    """Return each frame by itself, moved to [-0.5, 0.5]: `(B * k, 3, H, W)`."""
    return pictures.reshape(-1, 3, *pictures.shape[2:]) - 0.5


def load_backbone(encoder: ResNetEncoder, weights: str) -> None:
    """Fill in the backbone.

    Args:
        encoder: Whose backbone.
        weights: `"imagenet"` for the file in torch's hub cache, a path to that file, or `"random"`
            to leave it as it started.

    Raises:
        AssetsMissing: if the file is not there, with what to type.
        BrokenAsset: if it holds something else.
    """
    if weights == "random":
        return
    path = _cached() if weights == "imagenet" else Path(weights).expanduser()
    if not path.is_file():
        raise AssetsMissing(
            f"PIE-G reads pictures with ResNet-18's ImageNet weights, and {path} does not exist. "
            f"Type, where there is a network:\n  curl -L --create-dirs -o {_cached()} {URL}\n"
            "or name a copy: backbone='/path/to/" + FILE + "'. backbone='random' builds it "
            "untrained, which is not PIE-G."
        )
    state = _read(path)
    wanted = dict(zip(STAGES, encoder.backbone, strict=True))
    try:
        for stage, module in wanted.items():
            module.load_state_dict(_under(state, stage))
    except (RuntimeError, AttributeError) as error:
        raise BrokenAsset(f"{path} holds no weights of ResNet-18: {error}") from error


def _cached() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / FILE


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise BrokenAsset(f"{path} cannot be read; was its download cut short? {error}") from error


def _under(state: dict[str, Any], stage: str) -> dict[str, Any]:
    prefix = f"{stage}."
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
