"""How large the networks are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The paper's default: about 5 million parameters."""

    latent_dim: int = 512
    """Numbers of a latent state."""
    mlp_dim: int = 512
    """Units of every hidden layer."""
    num_channels: int = 32
    """Channels of the encoder's convolutions."""
    num_q: int = 5
    """Q functions."""
    simnorm_dim: int = 8
    """Numbers of each simplex of a latent state."""

    def __post_init__(self) -> None:
        if self.latent_dim % self.simnorm_dim:
            raise ValueError(
                f"latent_dim={self.latent_dim} cannot be cut into simplices of "
                f"simnorm_dim={self.simnorm_dim}: choose a multiple of it"
            )
        if self.num_q < 2:
            raise ValueError(f"targets ask two Q functions, got num_q={self.num_q}: 2 or more")
