"""What an agent looks at: `model.explain(obs)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distraction_gym.agents.common.saliency import input_gradients, normalized, per_pixel

if TYPE_CHECKING:
    from distraction_gym.agents.common.policy import VisualSACPolicy


class ExplainMixin:
    """`explain`, for a pixel agent; a method overrides `attention` and `EXPLAINS`."""

    EXPLAINS: ClassVar[str] = "saliency"
    """What `explain` shows, a word for the panel of a film: `"mask"` if networks see through it."""

    policy: VisualSACPolicy
    observation_space: Any
    extras: nn.ModuleDict

    def explain(self, obs: npt.NDArray[Any] | Tensor) -> Tensor:
        """Return what the agent looks at in the newest frame, float `(B, H, W)` in [0, 1].

        Gradients, random states and the networks' modes stay as they are.

        Args:
            obs: Pictures as the policy gets them, `(B, 3k, H, W)` or one `(3k, H, W)` (then `B` is
                1): array or tensor, uint8 or float, values 0-255.

        Raises:
            ValueError: for another shape.
        """
        pictures = self._pictures(obs)
        with _evaluating(self.policy, self.extras), torch.no_grad():
            return self.attention(pictures)

    def views(self, obs: npt.NDArray[Any] | Tensor) -> dict[str, npt.NDArray[Any]]:
        """Return what a film of the agent shows of one observation, by title.

        Pictures `(H, W, 3)` uint8 or maps `(H, W)` in [0, 1]; here `explain` alone.

        Args:
            obs: One observation, as `explain`.
        """
        return {self.EXPLAINS: self.explain(obs)[0].cpu().numpy()}

    def attention(self, obs: Tensor) -> Tensor:
        """Return what `explain` does of float pictures `(B, 3k, H, W)`, 0-255.

        Here, how strongly the lesser Q value of the action that the policy takes depends on each
        pixel: the largest gradient of its colours, relative to the picture's strongest pixels.
        """
        action = self.policy._predict(obs, deterministic=True)
        return normalized(per_pixel(input_gradients(lambda o: self._value(o, action), obs))[:, -1])

    def _value(self, obs: Tensor, action: Tensor) -> Tensor:
        encoded = self.policy.encode(self.encode_inputs(obs))
        return self.policy.q_values(encoded, action).amin(dim=1)

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Change pictures on their way to every network."""
        raise NotImplementedError

    def _pictures(self, obs: npt.NDArray[Any] | Tensor) -> Tensor:
        expected = tuple(self.observation_space.shape)
        # Copied: torch warns of arrays that it must not write into.
        pictures = obs if isinstance(obs, Tensor) else torch.from_numpy(np.array(obs))
        if pictures.shape[-3:] != expected or pictures.ndim not in (3, 4):
            raise ValueError(
                f"expected observations {('B', *expected)} or {expected}, got "
                f"{tuple(pictures.shape)}"
            )
        return pictures.reshape(-1, *expected).to(self.policy.device, torch.float32)


@contextmanager
def _evaluating(*networks: nn.Module) -> Iterator[None]:
    """Put networks into evaluation mode, and every module back into its own after that."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
