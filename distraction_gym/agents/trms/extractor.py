"""TRMS's selection for stock algorithms: a features extractor that chooses among given masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import Tensor

from distraction_gym.agents.trms.sampler import PAPER_FILTERS, Choice, MaskSampler
from distraction_gym.errors import UnsupportedEnvironment


class MaskSelectorExtractor(BaseFeaturesExtractor):
    """Show the inner extractor only those masks of each frame that a `MaskSampler` takes.

    For the `MultiInputPolicy` of Stable-Baselines3's algorithms on environments in `AddSegments`:

    >>> policy_kwargs = {"features_extractor_class": MaskSelectorExtractor}

    Whatever loss trains the extractor trains the sampler (TRMS's critic loss, in the paper). The
    segmenter stays part of the environment, when acting too; TRMS's student is left to `TRMS`.

    Args:
        observation_space: Dict of `"image"`, channel-first pictures `(3n, H, W)`, and `"segments"`,
            `(n * k, H, W)`.
        inner_class: The extractor that reads the masked pictures.
        inner_kwargs: Its further arguments.
        sampler_filters: Filters of the sampler's convolutions.
        temperature: Of its softmax.

    Raises:
        UnsupportedEnvironment: for other observations.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        inner_class: type[BaseFeaturesExtractor] = NatureCNN,
        inner_kwargs: dict[str, Any] | None = None,
        sampler_filters: Sequence[int] = PAPER_FILTERS,
        temperature: float = 5.0,
    ) -> None:
        image, k = _image_and_k(observation_space)
        inner = inner_class(image, **(inner_kwargs or {}))
        super().__init__(observation_space, features_dim=inner.features_dim)
        self.k = k
        self.inner = inner
        self.sampler = MaskSampler(k, sampler_filters, temperature)

    def choose(self, observations: dict[str, Tensor]) -> Choice:
        """Choose among the masks of every frame: rows are frames `(B * n)`, oldest first."""
        segments = observations["segments"]
        choice: Choice = self.sampler(segments.reshape(-1, self.k, *segments.shape[2:]).float())
        return choice

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the inner extractor's features `(B, features_dim)` of the masked pictures."""
        image = observations["image"]
        height, width = image.shape[2:]
        frames = image.view(-1, 3, height, width)
        masked = frames * self.choose(observations).mask
        return self.inner(masked.view_as(image))


def _image_and_k(space: spaces.Space) -> tuple[spaces.Box, int]:
    entries = space.spaces if isinstance(space, spaces.Dict) else {}
    image, segments = entries.get("image"), entries.get("segments")
    shape = image.shape if isinstance(image, spaces.Box) else None
    if shape is None or segments is None or len(shape) != 3 or shape[0] % 3:
        raise UnsupportedEnvironment(
            "MaskSelectorExtractor chooses among the masks of RGB frames, "
            '{"image": (3n, H, W), "segments": (n * k, H, W)}, got '
            f"{space}. Type:  AddSegments(env, 'superpixel')  and  'MultiInputPolicy'"
        )
    assert isinstance(image, spaces.Box) and segments.shape is not None
    return image, segments.shape[0] * 3 // shape[0]
