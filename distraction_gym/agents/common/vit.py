"""A small vision transformer as the trunk, as in MaDi's ViT variant."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class ViTEncoder(BaseFeaturesExtractor):
    """The transformer trunk: `(B, C, H, W)` in [0, 1] -> `(B, dim)`, the class token's features.

    All frames of the stack are cut into the same patches. At 96x96 the default has 144 tokens and
    a class token, and with nine channels 489,600 parameters. Source: MaDi's official code
    (arXiv 2312.15339), `vit.py` with the sizes of its `arguments.py`.

    Args:
        observation_space: Channel-first pictures; the patches have to fill them.
        patch: Height and width of a patch in pixels.
        dim: Size of a token.
        depth: Blocks.
        heads: Attention heads; they share `dim`.
        mlp_ratio: Size of a block's hidden layer, relative to `dim`.

    Raises:
        ValueError: if the patches do not fill the picture, or the heads do not share `dim` evenly.
    """

    def __init__(
        self,
        observation_space: spaces.Box,
        patch: int = 8,
        dim: int = 128,
        depth: int = 4,
        heads: int = 8,
        mlp_ratio: float = 1.0,
    ) -> None:
        channels, height, width = observation_space.shape
        if height % patch or width % patch:
            raise ValueError(
                f"patches of {patch} pixels do not fill a picture of {height}x{width}. MaDi's has "
                "96:  gym.make(env_id, image_size=96)"
            )
        if dim % heads:
            raise ValueError(f"{heads} heads cannot share {dim} features evenly")
        super().__init__(observation_space, features_dim=dim)
        tokens = (height // patch) * (width // patch)
        self.patches = nn.Conv2d(channels, dim, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, tokens + 1, dim))
        self.blocks = nn.Sequential(
            *(TransformerBlock(dim, heads, int(dim * mlp_ratio)) for _ in range(depth))
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        for parameter in (self.class_token, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.apply(_initialize)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode normalised pictures."""
        tokens = self.patches(observations).flatten(2).transpose(1, 2)
        first = self.class_token.expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens], dim=1) + self.positions
        return cast(Tensor, self.norm(self.blocks(tokens)[:, 0]))


class TransformerBlock(nn.Module):
    """Self-attention, then an MLP, each on normalised tokens and added to what came in.

    Args:
        dim: Size of a token.
        heads: Attention heads.
        hidden: Size of the MLP's hidden layer.
    """

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-6) for _ in range(2))
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.mix = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens `(B, N, dim)` from tokens."""
        tokens = tokens + self._attend(self.norms[0](tokens))
        return tokens + cast(Tensor, self.mlp(self.norms[1](tokens)))

    def _attend(self, tokens: Tensor) -> Tensor:
        batch, count, dim = tokens.shape
        parts = self.qkv(tokens).view(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value)
        return cast(Tensor, self.mix(found.transpose(1, 2).reshape(batch, count, dim)))


def _initialize(module: nn.Module) -> None:
    """Initialise linear layers as the official code does; patches keep torch's own start."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
