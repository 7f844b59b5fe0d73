"""Segmentation Dreamer: a world model of what matters (Kim et al., arXiv 2410.09972)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.logger import Image
from torch import Tensor
from torch.optim import Optimizer

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.dreamer import MODEL_CLIP, ArraySpec, Dreamer
from distraction_gym.agents.dreamer.world_model import Learned, Sequences, WorldModel
from distraction_gym.agents.sd.panels import draw_masks
from distraction_gym.agents.sd.sources import MaskSource, check_names, is_oracle, truth
from distraction_gym.agents.sd.world_model import HEAD, SDWorld
from distraction_gym.registry import unknown
from distraction_gym.segmentation import Masks
from distraction_gym.wrappers import AddForegroundMask

__all__ = ["SD", "SDWorld"]

TARGETS = ("rgb", "mask")
_NOT_PICTURES = ("stdout", "log", "json", "csv")


class SD(Dreamer):
    """Dreamer whose decoder learns to draw what matters on black, while the encoder sees all.

    Masks are made once, when a picture is collected, and only the losses read them: acting and
    testing need none.

    Args:
        *args: As `Dreamer`.
        masks: Where they come from: `"oracle"` (SD-GT) for `info["foreground"]`, of environments
            wrapped in `AddForegroundMask`; else a segmenter (SD-approx): a name in `SEGMENTERS` or
            `{"name": ..., **arguments}`. An oracle within another, as in
            `{"name": "degraded", "segmenter": "oracle", "recall": 0.7}`, is `info["foreground"]`
            too.
        selective: Learn a mask head and leave out of the decoder's error the pixels that it finds
            relevant and the mask does not (selective L2); False is the naive error. None: for all
            masks but the oracle's own.
        target: What the decoder learns to draw: `"rgb"`, or `"mask"`, the mask in white (SD_Seg).
        dilate: Pixels by which masks are widened, for segmentations whose borders are a pixel off.
        mask_gradient: Let the mask head's loss move encoder and RSSM too, an ablation.
        mask_lr: Adam's rate for the mask head; with `mask_gradient` it is the model's.
        **kwargs: As `Dreamer`.

    Raises:
        UnknownName: for a segmenter or target that does not exist.
        UnsupportedEnvironment: in `learn`, if the oracle is to be asked and `info` tells nothing.
    """

    world_model_class: ClassVar[type[WorldModel]] = SDWorld
    EXPLAINS: ClassVar[str] = "relevant"

    def __init__(
        self,
        *args: Any,
        masks: str | dict[str, Any] = "oracle",
        selective: bool | None = None,
        target: str = "rgb",
        dilate: int = 0,
        mask_gradient: bool = False,
        mask_lr: float = 1e-4,
        **kwargs: Any,
    ) -> None:
        check_names(masks)
        if target not in TARGETS:
            raise unknown("target", target, TARGETS)
        if dilate < 0:
            raise ValueError(f"dilate must be 0 or more pixels, got {dilate}")
        self.masks, self.selective = masks, selective
        self.target, self.dilate = target, dilate
        self.mask_gradient, self.mask_lr = mask_gradient, mask_lr
        self.compares = False
        """Whether the environments tell the truth beside a segmenter's masks, for the log."""
        self._source: MaskSource | None = None
        self._begun: list[int] | None = None
        super().__init__(*args, **kwargs)

    @property
    def is_selective(self) -> bool:
        """Whether there is a mask head."""
        return not is_oracle(self.masks) if self.selective is None else self.selective

    # Masks.

    def extra_arrays(self) -> dict[str, ArraySpec]:
        """Return what is stored with each picture: its mask, and the truth if it is told."""
        spec = ArraySpec(tuple((self.observation_space.shape or ())[1:]), "bool")
        return {"mask": spec, "truth": spec} if self.compares else {"mask": spec}

    def begin_episodes(self, envs: Sequence[int]) -> None:
        """Be told whose first pictures `describe` gets next."""
        self._begun = list(envs)

    def describe(
        self, frames: npt.NDArray[np.uint8], infos: list[dict[str, Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Make the masks of pictures `(n, 3, H, W)`, `(n, H, W)` bool."""
        begun, self._begun = self._begun, None
        envs = range(len(frames)) if begun is None else begun
        if self._source is None:
            self._source = MaskSource(self.masks, self.n_envs)
        pictures = np.ascontiguousarray(frames.transpose(0, 2, 3, 1))
        masks = self._source.masks(pictures, infos, envs, begun is not None)
        stored = {"mask": _dilated(masks, self.dilate)}
        if self.compares:
            stored["truth"] = np.stack([truth(info, pictures.shape[1:3]) for info in infos])
        return stored

    # What the loop asks.

    def world_model_kwargs(self) -> dict[str, Any]:
        """Return Dreamer's, and how the decoder learns."""
        return {
            **super().world_model_kwargs(),
            "selective": self.is_selective,
            "target": self.target,
            "mask_gradient": self.mask_gradient,
        }

    def extra_optimizers(self) -> dict[str, Optimizer]:
        """Return the mask head's optimizer, unless its loss is the world model's too."""
        if not self.is_selective or self.mask_gradient:
            return {}
        return {"mask_head": torch.optim.Adam(self.extras[HEAD].parameters(), self.mask_lr)}

    def extra_updates(self, batch: Sequences, learned: Learned) -> dict[str, Tensor]:
        """Step the mask head."""
        if not self.is_selective or self.mask_gradient:
            return {}
        loss = {"mask_loss": learned.notes.pop("mask_loss")}
        return descend(loss, [self.optimizers.mask_head], MODEL_CLIP)

    def attention(self, obs: Tensor) -> Tensor:
        """Return what the model takes for relevant, `(B, H, W)` in [0, 1].

        That is the mask head's probability, or without one how bright the reconstruction is.
        """
        world, features = self.policy.world_model, self._first_state(obs).features
        assert isinstance(world, SDWorld)
        if world.selective:
            return world.mask_logits(features).sigmoid()
        made: Tensor = world.decoder(features)
        return made.amax(dim=1).clamp(0.0, 1.0)

    def draw(self, batch: Sequences) -> None:
        """Put into the log what the model expects, and `panels.draw_masks`."""
        super().draw(batch)
        assert isinstance(self.policy.world_model, SDWorld)
        sheet = Image(draw_masks(self.policy.world_model, batch), "HWC")
        self.logger.record("pictures/masks", sheet, exclude=_NOT_PICTURES)

    def _setup_model(self) -> None:
        if self.env is not None:  # a model that is loaded to predict knows no environment
            told = all(self.env.env_is_wrapped(AddForegroundMask))
            self.compares = told and not is_oracle(self.masks)
        super()._setup_model()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_source", "_begun"]


def _dilated(masks: Masks, pixels: int) -> Masks:
    """Return masks `(n, H, W)` widened by some pixels in all eight directions."""
    if not pixels:
        return masks
    square = np.ones((2 * pixels + 1,) * 2, np.uint8)
    return np.stack([cv2.dilate(m.astype(np.uint8), square) for m in masks]).astype(np.bool_)
