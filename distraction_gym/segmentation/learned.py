"""A U-Net that `distraction-gym train-segmenter` trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import require
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill


class LearnedSegmenter(Segmenter):
    """What a small network takes for foreground, in connected pieces.

    The pieces come largest first; a piece's score is its share of the frame's whole foreground,
    both weighted with the network's probability.

    Args:
        k: Most pieces per frame.
        weights: A file that `distraction-gym train-segmenter --model unet` wrote; None: the one
            that comes with the package, trained on the mini suite and on DMC-GB.
        threshold: Pixels from this probability on are foreground.
        device: As in torch; None: the CPU, which is quick enough for so small a network.
        batch: Most frames per pass of the network.

    Raises:
        MissingExtra: without torch.
        AssetsMissing: if there is no such file.
        BrokenAsset: for a file that is no such network.
        ValueError: for a threshold outside of (0, 1).
    """

    def __init__(
        self,
        k: int = 4,
        weights: str | Path | None = None,
        threshold: float = 0.5,
        device: str | None = None,
        batch: int = 64,
    ) -> None:
        super().__init__(k)
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {threshold}")
        self.threshold, self.batch, self.device = threshold, batch, device or "cpu"
        self._network = self._load(weights).to(self.device)

    def _load(self, weights: str | Path | None) -> Any:
        require("torch", "agents")
        from distraction_gym.segmentation.unet import load, shipped

        return load(Path(weights).expanduser()) if weights else shipped()

    @property
    def about(self) -> dict[str, Any]:
        """What the network was trained on and how well it did, as its file tells."""
        return dict(self._network.about)

    def probabilities(self, frames: Frames) -> npt.NDArray[np.float32]:
        """Return the probability of foreground for every pixel of `(B, H, W, 3)`: `(B, H, W)`."""
        import torch

        height, width = frames.shape[1:3]
        side = self._network.size
        inputs = np.stack([_scaled(frame, side, side) for frame in frames])
        chances = []
        with torch.inference_mode():
            for start in range(0, len(inputs), self.batch):
                part = torch.from_numpy(inputs[start : start + self.batch]).to(self.device)
                logits = self._network(part.permute(0, 3, 1, 2).float())
                chances.append(logits.sigmoid().cpu().numpy())
        return np.stack([_scaled(plane, height, width) for plane in np.concatenate(chances)])

    def foreground(self, frames: Frames) -> Masks:
        """Return where the network sees foreground, whatever the number of pieces."""
        found: Masks = self.probabilities(frames) >= self.threshold
        return found

    def segment(self, frames: Frames) -> Segments:
        """Return the connected pieces of the foreground, largest first."""
        pairs = [_pieces(chance, self.threshold) for chance in self.probabilities(frames)]
        return fill([masks for masks, _ in pairs], [scores for _, scores in pairs], self.k)


def _pieces(
    chance: npt.NDArray[np.float32], threshold: float
) -> tuple[Masks, npt.NDArray[np.float32]]:
    """Return the pieces of one frame `(n, H, W)` and their shares of the whole `(n,)`."""
    count, labels = cv2.connectedComponents((chance >= threshold).astype(np.uint8))
    weights = np.bincount(labels.ravel(), chance.ravel(), count)[1:]
    order = np.argsort(-weights, kind="stable")
    masks = labels == order[:, None, None] + 1
    return masks, (weights[order] / max(weights.sum(), 1e-9)).astype(np.float32)


def _scaled(plane: npt.NDArray, height: int, width: int) -> npt.NDArray:
    how = cv2.INTER_AREA if plane.shape[0] > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (width, height), interpolation=how))
