"""Write FastSAM's networks as they are before training: as slow as the trained ones, no download.

    python benchmarks/untrained_fastsam.py s FastSAM-s-untrained.pt
    python benchmarks/segmenter_speed.py --segmenters fastsam:weights=FastSAM-s-untrained.pt

Their masks mean nothing, and few are confident enough to be kept, so that what follows the network
(boxes, masks) is cheaper than with trained weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from distraction_gym.errors import require

ARCHITECTURES = {"s": "yolov8s-seg.yaml", "x": "yolov8x-seg.yaml"}
"""FastSAM-s and FastSAM-x are YOLOv8 networks that segment."""


def write(size: str, path: Path) -> None:
    """Write the network of a size in `ARCHITECTURES` to a file."""
    require("ultralytics", "sam").YOLO(ARCHITECTURES[size]).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("size", choices=list(ARCHITECTURES))
    parser.add_argument("path", type=Path)
    args = parser.parse_args()
    write(args.size, args.path)
