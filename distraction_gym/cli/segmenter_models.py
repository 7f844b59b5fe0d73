"""The networks that `train-segmenter` trains: each from its start, to its file, and back."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from distraction_gym.segmentation import Segmenter
    from distraction_gym.segmentation.samples import Samples

STEPS, FEW_STEPS = 1500, 300
"""Updates, on many frames and on few."""


def start_of(args: argparse.Namespace) -> Any:
    """Return what training starts from: a network, a folder, or None."""
    if args.model == "segformer":
        from distraction_gym.segmentation.segformer_network import START, found

        return found(args.start or START)
    from distraction_gym.segmentation import unet

    start = args.start or ("shipped" if args.examples else "scratch")
    if start in ("shipped", "scratch"):
        return unet.shipped() if start == "shipped" else None
    return unet.load(Path(start).expanduser())


def steps_of(args: argparse.Namespace) -> int:
    """Return how many updates are asked for."""
    return int(args.steps or (FEW_STEPS if args.examples else STEPS))


def _unet(samples: Samples, start: Any, args: argparse.Namespace) -> Segmenter:
    from distraction_gym.segmentation.learned import LearnedSegmenter
    from distraction_gym.segmentation.train_unet import train_unet
    from distraction_gym.segmentation.unet import save

    device = _device(args.device)
    network = train_unet(samples, start=start, device=device, **_course(args))
    save(network, args.out)
    return LearnedSegmenter(weights=args.out)


def _segformer(samples: Samples, start: Any, args: argparse.Namespace) -> Segmenter:
    from distraction_gym.segmentation.segformer import SegFormerSegmenter, save
    from distraction_gym.segmentation.segformer_network import train_segformer

    device, size = _device(args.device), args.size or MODELS["segformer"].size
    save(train_segformer(samples, start, size=size, device=device, **_course(args)), args.out)
    return SegFormerSegmenter(args.out, device=device)


def _course(args: argparse.Namespace) -> dict[str, Any]:
    return {"steps": steps_of(args), "images": args.images, "seed": args.seed, "note": _said}


def _yolo(samples: Samples, start: Any, args: argparse.Namespace) -> Segmenter:
    from distraction_gym.segmentation.fastsam import FastSAMSegmenter
    from distraction_gym.segmentation.train_yolo import train_yolo

    device = _device(args.device)
    train_yolo(
        samples, args.out, steps=steps_of(args), images=args.images, seed=args.seed, device=device
    )
    return FastSAMSegmenter(k=32, weights=args.out, device=device)


class Model(NamedTuple):
    """A network that can be trained."""

    size: int
    """Height and width of its pictures, if not told otherwise."""
    train: Callable[[Samples, Any, argparse.Namespace], Segmenter]
    """Trains it from a start, writes it, and returns the segmenter that reads it."""
    files: str | None
    """The module that loads and saves it, for those that tell about themselves."""


MODELS = {
    "unet": Model(84, _unet, "distraction_gym.segmentation.unet"),
    "yolo": Model(160, _yolo, None),
    "segformer": Model(512, _segformer, "distraction_gym.segmentation.segformer"),
}


def tell(args: argparse.Namespace, about: dict[str, Any]) -> None:
    """Write beside the weights what they were trained on and how well they did."""
    module = MODELS[args.model].files
    if module:
        files = importlib.import_module(module)
        network = files.load(args.out)
        asked = {name: getattr(args, name) for name in ("env", "examples", "start", "seed")}
        network.about = {**asked, "steps": steps_of(args), **about}
        files.save(network, args.out)


def _device(name: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def _said(step: int, loss: float) -> None:
    if step % 100 == 0:
        print(f"step {step}: loss {loss:.3f}", flush=True)
