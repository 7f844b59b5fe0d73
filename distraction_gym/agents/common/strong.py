"""What methods with a strong augmentation share: its settings, and building it from them."""

from __future__ import annotations

from typing import Any

import torch

from distraction_gym.agents.common.augmentations import Augment, build
from distraction_gym.agents.common.visual_sac import VisualSAC


class StrongAugmentation(VisualSAC):
    """The loop, and `self.augmentation` for a method to use where it will.

    Args:
        *args: As `VisualSAC`.
        augment: Strong augmentation, a name in `AUGMENTATIONS` such as `"overlay"` or
            `"random_conv"`; or a list of what acts one after the other, names or
            `{"kind": name, **arguments}`.
        overlay_images: Pictures for `"overlay"`: `"generated"`, or a folder (Places365's layout).
        overlay_alpha: Their weight.
        **kwargs: As `VisualSAC`.
    """

    def __init__(
        self,
        *args: Any,
        augment: Augment = "overlay",
        overlay_images: str = "generated",
        overlay_alpha: float = 0.5,
        **kwargs: Any,
    ) -> None:
        self.augment = augment
        self.overlay_images, self.overlay_alpha = overlay_images, overlay_alpha
        super().__init__(*args, **kwargs)

    def augmented_shape(self) -> tuple[int, ...]:
        """Return the shape of the pictures that will be augmented, `(3k, H, W)`."""
        return self.observation_space.shape or ()

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        """Meet a missing folder or an unfit augmentation now, not after the random steps."""
        # Blank pictures, and a generator of its own: the run's random numbers stay as they were.
        blank = torch.zeros(1, *self.augmented_shape(), device=self.device)
        out = self.augmentation(blank, torch.Generator(self.device).manual_seed(0))
        if out.shape != blank.shape:
            raise ValueError(
                f"augment={self.augment!r} makes pictures {tuple(out.shape[1:])} of "
                f"{tuple(blank.shape[1:])}: a strong augmentation keeps their size"
            )
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        overlay = {"images": self.overlay_images, "alpha": self.overlay_alpha}
        self.augmentation = build(self.augment, {"overlay": overlay})

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "augmentation"]
