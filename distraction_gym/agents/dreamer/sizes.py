"""How large the networks are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The paper's small model of January 2023: 17.9 million parameters for 64 x 64 pictures."""

    deter: int = 512
    """The recurrent state."""
    stoch: int = 32
    """Categoricals of the drawn state."""
    classes: int = 32
    """Classes of each."""
    hidden: int = 512
    """Units of the layers inside the RSSM."""
    depth: int = 32
    """Channels of the encoder's first layer and of the decoder's last but one."""
    units: int = 512
    """Units of the heads, actor and critic."""
    layers: int = 2
    """Their hidden layers."""
