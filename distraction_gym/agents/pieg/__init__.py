"""PIE-G: a pre-trained image encoder for generalizable visual RL (arXiv 2212.08860)."""

from __future__ import annotations

from typing import Any, ClassVar

from stable_baselines3.common.policies import BasePolicy

from distraction_gym.agents.common.ddpg_policy import VisualDDPGPolicy
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
from distraction_gym.agents.pieg.encoder import ResNetEncoder, calibrate, load_backbone
from distraction_gym.agents.svea import SVEA

__all__ = ["PIEG", "ResNetEncoder"]


CALIBRATION = 256
"""Pictures that set a random backbone's batch norm."""


class PIEGPolicy(VisualDDPGPolicy):
    """DrQ-v2's heads on frozen ImageNet features."""

    _PAPERS: ClassVar[dict[str, Any]] = {
        **VisualDDPGPolicy._PAPERS,
        "features_extractor_class": ResNetEncoder,
    }


class PIEG(SVEA, VisualDDPG):
    """DrQ-v2 with SVEA's loss, on pictures that a network trained on ImageNet has read.

    Args:
        *args: As `SVEA` and `VisualDDPG`.
        backbone: Weights of the ResNet-18: `"imagenet"` (the file in torch's hub cache), a path, or
            `"random"`, whose batch norm is set to the replay buffer's pictures before it learns.
        **kwargs: As `SVEA` and `VisualDDPG`.

    Raises:
        AssetsMissing: if there are no such weights.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": PIEGPolicy}

    def __init__(
        self,
        *args: Any,
        backbone: str = "imagenet",
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        self.backbone = backbone
        super().__init__(*args, _init_setup_model=_init_setup_model, **kwargs)
        if _init_setup_model:  # a model that is loaded has them in its own file
            load_backbone(self._encoder(), backbone)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update as `VisualSAC` does; set a random backbone's batch norm before the first."""
        if self.backbone == "random" and self._n_updates == 0:
            calibrate(self._encoder(), self.sample_pictures(CALIBRATION) / 255.0)
        super().train(gradient_steps, batch_size)

    def _encoder(self) -> ResNetEncoder:
        encoder = self.policy.critic.features_extractor
        assert isinstance(encoder, ResNetEncoder)
        return encoder
