"""Segment Anything through the `ultralytics` package: FastSAM, SAM, SAM 2, MobileSAM, YOLO-seg.

The package is AGPL-3 and an extra: `pip install 'distraction-gym[sam]'`.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.store import cache_root
from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill
from distraction_gym.segmentation.contained import contained

RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


class Backend(NamedTuple):
    """How a family of weights is run."""

    pattern: str
    """What the lower-case names of its files match."""
    model: str
    """The class in `ultralytics`."""
    image_size: int | None
    """Pixels; None: whatever a file says it was trained at."""
    most: int | None
    """Frames that one call takes; None: any number."""


BACKENDS = (
    Backend("fastsam*", "FastSAM", 640, None),
    Backend("mobile_sam*", "SAM", 1024, 1),
    Backend("sam_*", "SAM", 1024, 1),
    Backend("sam2*", "SAM", 1024, 1),
    Backend("*", "YOLO", None, None),
)
"""The first that matches counts: whatever is no variant of SAM is a YOLO that segments."""


def backend_of(weights: str | Path) -> Backend:
    """Return how weights are run, by their file's name."""
    name = Path(weights).name.lower()
    return next(backend for backend in BACKENDS if fnmatch(name, backend.pattern))


class FastSAMSegmenter(Segmenter):
    """Masks of whatever FastSAM, or another network of `ultralytics`, takes for a thing.

    The masks have the frames' resolution (`retina_masks`), come in the order of their confidence,
    and may overlap. The defaults are TRMS's (Table 4): FastSAM-x at 640 pixels.

    Nothing is downloaded unless you say so, and weights are files of `torch.save`, which may hold
    code that loading them would run: only tensors and ultralytics' own layers are read, unless you
    trust a file.

    Args:
        k: Most masks per frame.
        weights: A file, or the name of one in the working folder, in ultralytics' weights folder or
            where `download` puts it. Its name says what it is (see `BACKENDS`).
        image_size: Height and width that frames are scaled to for the network, pixels. None: 640
            for FastSAM (TRMS), 1024 for SAM, SAM 2 and MobileSAM, and what a YOLO was trained at.
        iou: Of two masks whose boxes overlap more than this, the less confident is dropped.
        confidence: Masks below it are dropped.
        device: As in torch; None: a GPU if there is one.
        batch: Most frames per pass of the network.
        download: Get weights that are not here from ultralytics' release page.
        trust_pickle: Load files with more in them than tensors and ultralytics' layers, and run
            what is in them. Only for files of people whom you trust.

    Raises:
        MissingExtra: without ultralytics.
        AssetsMissing: if the weights are not here.
        BrokenAsset: for a file that ultralytics cannot read, or that is not trusted.
        ValueError: for thresholds outside of [0, 1], and sizes below 1.
    """

    def __init__(
        self,
        k: int = 4,
        weights: str | Path = "FastSAM-x.pt",
        image_size: int | None = None,
        iou: float = 0.75,
        confidence: float = 0.40,
        device: str | None = None,
        batch: int = 32,
        *,
        download: bool = False,
        trust_pickle: bool = False,
    ) -> None:
        super().__init__(k)
        for name, value in (("iou", iou), ("confidence", confidence)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {value}")
        self.backend = backend_of(weights)
        self.iou, self.confidence, self.device = iou, confidence, device
        self.batch = min(batch, self.backend.most or batch)
        if self.batch < 1 or (image_size is not None and image_size < 1):
            raise ValueError(f"batch and image_size must be positive: {batch}, {image_size}")
        self._trust = trust_pickle
        with contained(trust_pickle=trust_pickle) as ultralytics:
            self.weights = _found(str(weights), ultralytics, download)
            self._model = self._load(getattr(ultralytics, self.backend.model))
        told = self._model.overrides.get("imgsz", 640)
        self.image_size: int = image_size or self.backend.image_size or told

    def segment(self, frames: Frames) -> Segments:
        """Return the masks of frames `(B, H, W, 3)` uint8, RGB, most confident first."""
        found: list[Masks] = []
        scores: list[npt.NDArray[np.float32]] = []
        with contained(trust_pickle=self._trust):
            for start in range(0, len(frames), self.batch):
                for result in self._predict(frames[start : start + self.batch]):
                    masks, values = _ordered(result, frames.shape[1:3])
                    found.append(masks)
                    scores.append(values)
        return fill(found, scores, self.k)

    def _predict(self, frames: Frames) -> list[Any]:
        pictures = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]  # it wants BGR
        results: list[Any] = self._model.predict(
            pictures,
            imgsz=self.image_size,
            iou=self.iou,
            conf=self.confidence,
            device=self.device,
            batch=len(pictures),
            retina_masks=True,
            agnostic_nms=True,  # one mask per thing, whatever classes it may be of
            save=False,
            verbose=False,
        )
        return results

    def _load(self, cls: Any) -> Any:
        try:
            model = cls(str(self.weights))
        except Exception as error:  # of many kinds, from pickle to its own
            raise BrokenAsset(
                f"ultralytics cannot read {self.weights} as weights of {self.backend.model}: "
                f"{error}\nIf it holds code of somebody whom you trust:  trust_pickle=True"
            ) from error
        if model.task != "segment":
            raise BrokenAsset(
                f"{self.weights} is a network for {model.task!r}; expected one that segments, such "
                "as FastSAM-s.pt or yolo11n-seg.pt"
            )
        return model


def _found(weights: str, ultralytics: Any, download: bool) -> Path:
    """Return the file of a path or name; download it only if asked to."""
    own = cache_root() / "weights" / weights
    places = (Path(weights).expanduser(), Path(ultralytics.settings["weights_dir"], weights), own)
    here = next((path for path in places if path.is_file()), None)
    if here is None and download:
        from ultralytics.utils.downloads import attempt_download_asset

        own.parent.mkdir(parents=True, exist_ok=True)
        attempt_download_asset(str(own))
        here = own if own.is_file() else None
    if here is None:
        looked = ", ".join(str(path) for path in places)
        raise AssetsMissing(
            f"no weights {weights!r}: none of {looked} is a file.\nType  curl -LO "
            f"{RELEASE}/{Path(weights).name}  and name the file, or take download=True "
            "(ultralytics' weights are AGPL-3); or train some:  distraction-gym train-segmenter"
        )
    return here


def _ordered(result: Any, size: tuple[int, ...]) -> tuple[Masks, npt.NDArray[np.float32]]:
    """Return the masks and confidences of one frame, the most confident first."""
    if result.masks is None:
        return np.zeros((0, *size), np.bool_), np.zeros(0, np.float32)
    scores = result.boxes.conf.cpu().numpy().astype(np.float32)
    masks = _scaled(result.masks.data.cpu().numpy(), size)
    order = np.argsort(-scores, kind="stable")  # equal ones keep ultralytics' order
    return masks[order], scores[order]


def _scaled(masks: npt.NDArray, size: tuple[int, ...]) -> Masks:
    """Scale planes to a height and width: a pixel is True where half of its area is."""
    if masks.shape[1:] == size:
        return np.asarray(masks > 0.5, np.bool_)
    height, width = size
    planes = [
        cv2.resize(np.float32(mask), (width, height), interpolation=cv2.INTER_AREA)
        for mask in masks
    ]
    return np.stack(planes) >= 0.5
