"""`train-segmenter`: a small network that learns the oracle's masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distraction_gym.cli.options import (
    OptionError,
    add_assets,
    add_env_kwargs,
    add_threads,
    env_kwargs,
    positive,
)
from distraction_gym.errors import require

if TYPE_CHECKING:
    from distraction_gym.bench.segmenters import Source
    from distraction_gym.cli.options import Commands

MEASURED = ("clean", "color_hard", "video_easy", "video_hard")
CLEAN = "clean"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train-segmenter", help="train a small network on the oracle's masks and measure it"
    )
    parser.add_argument("--env", action="append", required=True, metavar="ID", help="may repeat")
    parser.add_argument(
        "--held-out",
        action="append",
        default=[],
        metavar="ID",
        help="measured only, never trained on; may be repeated",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .pt")
    parser.add_argument("--model", choices=("unet", "yolo"), default="unet")
    parser.add_argument("--frames", type=positive, default=4000, help="to train on (default: 4000)")
    parser.add_argument("-n", "--steps", type=positive, default=1500, help="updates of 32 frames")
    parser.add_argument("--size", type=positive, help="of the network's pictures (84; yolo: 160)")
    parser.add_argument(
        "--modes", nargs="+", default=[CLEAN], metavar="MODE", help="to train in (default: clean)"
    )
    parser.add_argument("--measure", nargs="+", default=list(MEASURED), metavar="MODE")
    parser.add_argument(
        "--eval-frames", type=positive, default=64, help="per environment and mode (default: 64)"
    )
    parser.add_argument(
        "--images",
        default="generated",
        metavar="DIR",
        help="pictures to lay behind the things in training (Places365's layout), or 'generated'",
    )
    parser.add_argument("--seed", type=int, default=0)
    add_assets(parser)
    add_env_kwargs(parser)
    add_threads(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    from distraction_gym.bench.segmenters import HELD_OUT_SEED, gather, measure, table

    _check(args)
    require("torch", "agents")
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    trained = _source(args, args.env, args.modes, args.frames, args.seed)
    shown = list(dict.fromkeys([*args.env, *args.held_out]))
    share = args.eval_frames * len(shown) * len(args.measure)
    measured = _source(args, shown, args.measure, share, args.seed + HELD_OUT_SEED)
    measured.names()  # a misspelt one must not cost the training before it
    size = args.size or (160 if args.model == "yolo" else 84)
    samples = gather(trained, size)
    print(f"{len(samples.frames)} frames of {len(trained.names())} environments")
    segmenter = {"unet": _unet, "yolo": _yolo}[args.model](samples, args)
    print(f"wrote {args.out}: {args.out.stat().st_size / 1e6:.2f} MB")
    print("IoU on episodes of their own" + (", held out:" if args.held_out else ""), end=" ")
    print(", ".join(args.held_out))
    print(table(measure(segmenter, measured)))


def _check(args: argparse.Namespace) -> None:
    both = sorted({*args.modes} & {*args.measure} - {CLEAN})
    if both:
        raise OptionError(
            f"{', '.join(both)}: a mode that is measured must not be trained on, or the same "
            "footage is in both. Take it out of --modes or of --measure"
        )
    if args.out.suffix != ".pt":
        raise OptionError(f"--out {args.out}: expected a name that ends in .pt")


def _source(
    args: argparse.Namespace, envs: list[str], modes: list[str], frames: int, seed: int
) -> Source:
    from distraction_gym.bench.segmenters import Source

    return Source(tuple(envs), tuple(modes), frames, seed, args.assets, env_kwargs(args))


def _unet(samples: Any, args: argparse.Namespace) -> Any:
    from distraction_gym.segmentation.learned import LearnedSegmenter
    from distraction_gym.segmentation.train_unet import train_unet
    from distraction_gym.segmentation.unet import save

    network = train_unet(
        samples,
        steps=args.steps,
        images=args.images,
        seed=args.seed,
        device=_device(args.device),
        note=_said,
    )
    save(network, args.out)
    return LearnedSegmenter(weights=args.out)


def _yolo(samples: Any, args: argparse.Namespace) -> Any:
    from distraction_gym.segmentation.fastsam import FastSAMSegmenter
    from distraction_gym.segmentation.train_yolo import train_yolo

    device = _device(args.device)
    train_yolo(
        samples, args.out, steps=args.steps, images=args.images, seed=args.seed, device=device
    )
    return FastSAMSegmenter(k=32, weights=args.out, device=device)


def _device(name: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def _said(step: int, loss: float) -> None:
    if step % 100 == 0:
        print(f"step {step}: loss {loss:.3f}", flush=True)
