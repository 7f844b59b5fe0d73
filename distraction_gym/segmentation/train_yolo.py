"""Training of a YOLO that segments, through `ultralytics`, which is AGPL-3.

The network is made of ultralytics' own parts by a description in its YAML, without any weights of
others, and has one class: thing. `FastSAMSegmenter` loads the file as it loads FastSAM's.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.files import atomic_file
from distraction_gym.seeding import stream
from distraction_gym.segmentation.base import Masks
from distraction_gym.segmentation.contained import contained, seeds_apart
from distraction_gym.segmentation.disguise import Disguise
from distraction_gym.segmentation.fastsam import backend_of
from distraction_gym.segmentation.samples import THING, Labels, Samples

_SMALLEST = 6  # pixels: what is smaller cannot be told from noise
_STRIDE = 16


def train_yolo(
    samples: Samples,
    out: Path,
    *,
    steps: int = 1500,
    batch: int = 32,
    width: int = 16,
    copies: int = 3,
    images: str = "generated",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Train a YOLO-seg on the things in labelled frames and in disguised copies of them.

    Args:
        samples: Square frames with their labels; their size is the network's.
        out: The file to write. Its name must not look like a variant of SAM (see `BACKENDS`).
        steps: Updates, rounded up to whole passes over the frames.
        batch: Frames per update.
        width: Channels of the first layer; the others have multiples of it.
        copies: How many of every frame to make in disguise, beside the frame itself.
        images: What is laid behind the things (see `Disguise`).
        seed: Of the weights, the draws and the disguises.
        device: Where it is trained.

    Raises:
        MissingExtra: without ultralytics.
        ValueError: for a name that another class would load, and pictures of no multiple of 16.
    """
    size = samples.frames.shape[1]
    if backend_of(out).model != "YOLO":
        raise ValueError(f"{out.name} would be loaded as {backend_of(out).model}: rename it")
    if size % _STRIDE:
        raise ValueError(f"the pictures must be multiples of {_STRIDE} pixels wide, got {size}")
    disguise, rng = Disguise(size, images, seed), stream(seed, "segmenter")
    looks = [samples, *(disguise(samples, rng) for _ in range(copies))]
    with tempfile.TemporaryDirectory(prefix="yolo-") as name, contained(trust_pickle=True) as yolo:
        folder = Path(name)
        count = _write_dataset(looks, folder)
        yolo.utils.YAML.save(folder / "thing-seg.yaml", network(width))
        with seeds_apart():
            yolo.YOLO(str(folder / "thing-seg.yaml")).train(
                trainer=_trainer(),
                data=str(folder / "data.yaml"),
                epochs=math.ceil(steps / math.ceil(count / batch)),
                batch=batch,
                imgsz=size,
                device=device,
                seed=seed,
                project=str(folder),
                name="run",
                **_HABITS,
            )
        trained = folder / "run" / "weights" / "last.pt"
        yolo.utils.torch_utils.strip_optimizer(trained)
        with trained.open("rb") as source, atomic_file(out) as file:
            shutil.copyfileobj(source, file)


def _trainer() -> type:
    """Return ultralytics' trainer without its measurements, which the oracle makes instead."""
    from ultralytics.models.yolo.segment import SegmentationTrainer

    return type(
        "ThingTrainer",
        (SegmentationTrainer,),
        {"validate": lambda self: ({}, 0.0), "final_eval": lambda self: None},
    )


# No download (weights for the check of AMP, fonts for plots), no worker processes, and no
# augmentation but the cheap one: disguises are on disk already.
_HABITS: dict[str, Any] = {
    **{"pretrained": False, "amp": False, "plots": False, "val": False, "verbose": False},
    **{"workers": 0, "exist_ok": True, "optimizer": "AdamW", "lr0": 2e-3, "warmup_epochs": 0.5},
    **{"mosaic": 0.0, "scale": 0.2, "mask_ratio": 2, "overlap_mask": False, "single_cls": True},
    **{"close_mosaic": 0, "nbs": 1},
}


def _write_dataset(looks: Sequence[Samples], folder: Path) -> int:
    """Write pictures and outlines the way ultralytics reads them; return how many pictures."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    count = 0
    for look in looks:
        for frame, labels in zip(look.frames, look.labels, strict=True):
            cv2.imwrite(str(folder / f"images/{count:06d}.png"), frame[..., ::-1])
            lines = [" ".join(["0", *map(str, points)]) for points in outlines(labels)]
            (folder / f"labels/{count:06d}.txt").write_text("\n".join(lines))
            count += 1
    text = f"path: {folder}\ntrain: images\nval: images\nnames: {{0: thing}}\n"
    (folder / "data.yaml").write_text(text)
    return count


def outlines(labels: Labels) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the outline of every piece of every thing: `x0 y0 x1 y1 ...`, shares of the picture.

    Args:
        labels: `(H, W)`.
    """
    for label in np.unique(labels[labels >= THING]):
        for contour in _contours(labels == label):
            yield ((contour + 0.5) / labels.shape[::-1]).ravel().round(5)


def _contours(mask: Masks) -> Iterator[npt.NDArray[np.int32]]:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in found:
        if len(contour) >= 3 and cv2.contourArea(contour) >= _SMALLEST:
            yield np.asarray(contour[:, 0], np.int32)


def network(width: int) -> dict[str, Any]:
    """Describe a YOLO-seg for small pictures: `[from, repeats, module, arguments]` per layer.

    YOLOv8's layout one octave finer, for things of few pixels: it looks at 1/4, 1/8 and 1/16 of
    the resolution instead of 1/8, 1/16 and 1/32, and the masks are drawn at 1/2 instead of 1/4.
    """
    fine, middle, coarse = 2 * width, 4 * width, 8 * width
    return {
        "nc": 1,
        "backbone": [
            [-1, 1, "Conv", [width, 3, 2]],
            [-1, 1, "Conv", [fine, 3, 2]],
            [-1, 1, "C2f", [fine, True]],  # 2: 1/4
            [-1, 1, "Conv", [middle, 3, 2]],
            [-1, 1, "C2f", [middle, True]],  # 4: 1/8
            [-1, 1, "Conv", [coarse, 3, 2]],
            [-1, 1, "C2f", [coarse, True]],
            [-1, 1, "SPPF", [coarse, 5]],  # 7: 1/16
        ],
        "head": [
            [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
            [[-1, 4], 1, "Concat", [1]],
            [-1, 1, "C2f", [middle]],  # 10
            [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
            [[-1, 2], 1, "Concat", [1]],
            [-1, 1, "C2f", [fine]],  # 13
            [[13, 10, 7], 1, "Segment", ["nc", width, fine]],
        ],
    }
