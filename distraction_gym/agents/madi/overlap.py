"""How far a mask agrees with the oracle's, measured while a model learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback

from distraction_gym.agents.madi.extractor import explain
from distraction_gym.errors import UnsupportedEnvironment


def overlap(
    mask: npt.NDArray, foreground: npt.NDArray[np.bool_], threshold: float | None = None
) -> float:
    """Return the intersection over union of a mask and the oracle's foreground, both `(..., H, W)`.

    1 where they agree, also about there being nothing to see; 0 where they share no pixel.

    Args:
        mask: In [0, 1].
        foreground: True where the picture shows what matters.
        threshold: What the mask has to exceed. None takes the mean of each picture's own mask: how
            bright a learned mask is says little, for the networks behind it adapt to that.
    """
    kept = mask > (mask.mean(axis=(-2, -1), keepdims=True) if threshold is None else threshold)
    union = int((kept | foreground).sum())
    return float((kept & foreground).sum() / union) if union else 1.0


class MaskOverlap(BaseCallback):
    """Log `train/mask_iou`: intersection over union of the mask and the oracle's foreground.

    The oracle is `AddForegroundMask`, put around each training environment; the model is one with
    `explain`, or a stock algorithm with a `MaskerExtractor`.

    Args:
        every: Agent steps between measurements.
        threshold: What a mask has to exceed to count as foreground; None for its own mean.
    """

    def __init__(self, every: int = 1_000, threshold: float | None = None) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be 1 or more steps, got {every}")
        self._every, self._threshold = every, threshold
        self._measured = 0

    def _on_training_start(self) -> None:
        self._measured = self.num_timesteps

    def _on_step(self) -> bool:
        if self.num_timesteps // self._every > self._measured // self._every:
            self._measure()
        return True

    def _measure(self) -> None:
        infos = self.locals["infos"]
        if "foreground" not in infos[0]:
            raise UnsupportedEnvironment(
                "MaskOverlap needs to be told what matters in each picture. Put AddForegroundMask "
                "around the environments:  make_vec_env(env_id, wrapper_class=AddForegroundMask)"
            )
        # Where an episode has ended, the picture shows the next one already, and the info does not.
        going = np.flatnonzero(~np.asarray(self.locals["dones"], np.bool_))
        if not len(going):
            return  # the next step will do
        self._measured = self.num_timesteps
        masks = self._masks(np.asarray(self.locals["new_obs"])[going])
        foreground = np.stack([infos[index]["foreground"] for index in going])
        self.logger.record_mean("train/mask_iou", overlap(masks, foreground, self._threshold))

    def _masks(self, obs: npt.NDArray) -> npt.NDArray[np.float32]:
        model: Any = self.model
        found = model.explain(obs) if hasattr(model, "explain") else explain(model, obs)
        return found.cpu().numpy()
