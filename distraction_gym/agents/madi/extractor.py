"""The Masker before the networks of stock algorithms: one SB3 features extractor around another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import Tensor, nn

from distraction_gym.agents.madi.masker import Masker
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown


class MaskerExtractor(BaseFeaturesExtractor):
    """Dim each RGB frame of the observations where nothing matters, then extract features.

    For the algorithms of Stable-Baselines3 and sb3_contrib:

    >>> policy_kwargs = {"features_extractor_class": MaskerExtractor}

    The Masker has no loss of its own; whatever loss trains the extractor trains it
    (arXiv 2312.15339 proposes it for SAC's critic loss).

    Args:
        observation_space: Channel-first pictures `(3k, H, W)`, as the policy sees them.
        inner_class: The extractor that reads the masked pictures.
        inner_kwargs: Its further arguments.
        masker_filters: Filters of the Masker's hidden layers.
        masker_layers: The Masker's convolutions in all.
        white: The value of full brightness in what arrives here. None: 1 for uint8 pictures,
            which Stable-Baselines3 divides by 255, else the upper bound of the space. Pass 255
            beside `normalize_images=False`, which leaves uint8 pictures as they are.

    Raises:
        UnsupportedEnvironment: for observations that are no stacked RGB frames.
        ValueError: if `white` cannot be worked out.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        inner_class: type[BaseFeaturesExtractor] = NatureCNN,
        inner_kwargs: dict[str, Any] | None = None,
        masker_filters: int = 32,
        masker_layers: int = 3,
        white: float | None = None,
    ) -> None:
        _check_frames(observation_space)
        assert isinstance(observation_space, spaces.Box)
        arguments = dict(inner_kwargs or {})
        if issubclass(inner_class, NatureCNN) and observation_space.dtype != np.uint8:
            arguments.setdefault("normalized_image", True)  # it insists on uint8 otherwise
        inner = inner_class(observation_space, **arguments)
        super().__init__(observation_space, features_dim=inner.features_dim)
        self.white = _white(observation_space) if white is None else float(white)
        self.masker = Masker(masker_filters, masker_layers)
        self.inner = inner

    def masks(self, observations: Tensor) -> Tensor:
        """Return one soft mask per frame, `(B, k, H, W)` in (0, 1), of what `forward` takes."""
        if observations.max() > 1.01 * self.white:  # rounding aside
            raise ValueError(
                f"pictures reach {observations.max().item():g}, expected at most {self.white:g}. "
                'With normalize_images=False type:  "features_extractor_kwargs": {"white": 255}'
            )
        frames = observations.reshape(-1, 3, *observations.shape[2:])
        masks = self.masker(frames * (255.0 / self.white))
        return masks.view(len(observations), -1, *observations.shape[2:])

    def forward(self, observations: Tensor) -> Tensor:
        """Return the inner extractor's features `(B, features_dim)` of the masked pictures."""
        height, width = observations.shape[2:]
        frames = observations.reshape(len(observations), -1, 3, height, width)
        masked = frames * self.masks(observations).unsqueeze(2)
        return self.inner(masked.view_as(observations))

    def apply(self, fn: Callable[[nn.Module], Any]) -> MaskerExtractor:
        """Apply `fn` to the inner extractor, and leave the Masker as it is.

        PPO, A2C and TRPO initialise their extractor anew in this way, with dense orthogonal
        filters, and masks would start as noise, not as an even grey.
        """
        self.inner.apply(fn)
        return self


def find_maskers(model: BaseAlgorithm) -> dict[str, MaskerExtractor]:
    """Return every Masker of a model by its place in the policy, the one that acts first.

    PPO has one; SAC's actor, critic and target critic have one each.

    Raises:
        ValueError: if the model has none.
    """
    found = {
        name: module
        for name, module in model.policy.named_modules()
        if isinstance(module, MaskerExtractor)
    }
    if not found:
        raise ValueError(
            f"this {type(model).__name__} masks nothing. Build it with "
            'policy_kwargs={"features_extractor_class": MaskerExtractor}'
        )
    return found


@torch.no_grad()
def explain(model: BaseAlgorithm, obs: np.ndarray, masker: str | None = None) -> Tensor:
    """Return the newest frame's mask, `(B, H, W)` in (0, 1), as `MaDi.explain` does.

    Args:
        model: A stock algorithm with a `MaskerExtractor`.
        obs: Observations as `model.predict` takes them, one or a batch.
        masker: A name in `find_maskers(model)`; None for the one that acts.

    Raises:
        ValueError: if the model has no Masker.
        UnknownName: if it has none of that name.
    """
    maskers = find_maskers(model)
    if masker is not None and masker not in maskers:
        raise unknown("Masker", masker, maskers)
    chosen = maskers[masker or next(iter(maskers))]
    policy: BasePolicy = model.policy
    batch, _ = policy.obs_to_tensor(obs)
    pictures = preprocess_obs(batch, policy.observation_space, policy.normalize_images)
    assert isinstance(pictures, Tensor)
    return chosen.masks(pictures)[:, -1]


def _check_frames(space: spaces.Space) -> None:
    shape = space.shape if isinstance(space, spaces.Box) else None
    # More channels than rows: a picture (H, W, 3) that nobody has turned.
    if shape is not None and len(shape) == 3 and shape[0] % 3 == 0 and shape[0] < min(shape[1:]):
        return
    raise UnsupportedEnvironment(
        "MaskerExtractor masks RGB frames, channel-first pictures (3k, H, W), got "
        f"{space}. Pictures (H, W, 3) are turned by Stable-Baselines3 itself if they are uint8; "
        "grey ones need GrayscaleObservation left out, dictionaries FilterObservation."
    )


def _white(space: spaces.Box) -> float:
    if space.dtype == np.uint8:
        return 1.0
    bound = float(space.high.max())
    if not np.isfinite(bound) or bound <= 0:
        raise ValueError(
            f"the brightest value of {space} cannot be told: "
            'pass it, "features_extractor_kwargs": {"white": 1.0}'
        )
    return bound
