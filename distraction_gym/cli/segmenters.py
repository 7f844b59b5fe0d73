"""`train-segmenter`: a network that learns masks, the oracle's or those that a person made."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from distraction_gym.cli.options import (
    OptionError,
    add_assets,
    add_env_kwargs,
    add_threads,
    env_kwargs,
    positive,
)
from distraction_gym.cli.segmenter_models import MODELS, start_of, tell
from distraction_gym.errors import require

if TYPE_CHECKING:
    from distraction_gym.bench.segmenters import Source
    from distraction_gym.cli.options import Commands
    from distraction_gym.segmentation import Segmenter
    from distraction_gym.segmentation.samples import Samples

MEASURED = ("clean", "color_hard", "video_easy", "video_hard")
CLEAN = "clean"
FIGURES = ("IoU", "recall", "precision")
FRAMES, POOL = 4000, 200
"""How many frames to train on, and of how many to choose examples."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train-segmenter",
        help="train a small network on the oracle's masks, or on yours, and measure it",
    )
    trained = parser.add_mutually_exclusive_group(required=True)
    trained.add_argument("--env", action="append", metavar="ID", help="may repeat")
    trained.add_argument(
        "--annotated",
        type=Path,
        metavar="DIR",
        help="instead of --env: your own frames, a.png with a_mask.png beside it, ...",
    )
    parser.add_argument(
        "--held-out",
        action="append",
        default=[],
        metavar="ID",
        help="measured only, never trained on; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="a .pt file; segformer: a folder"
    )
    parser.add_argument("--model", choices=tuple(MODELS), default="unet")
    parser.add_argument(
        "--examples",
        type=positive,
        metavar="N",
        help="adapt to N annotated frames (of each environment), those that differ most",
    )
    parser.add_argument(
        "--start",
        metavar="WEIGHTS",
        help="what training starts from: a .pt file, 'shipped' (default with --examples) or "
        "'scratch'; segformer: a folder, or a name in Hugging Face's cache",
    )
    parser.add_argument(
        "--frames", type=positive, help="to train on, or to choose examples of (4000; 200)"
    )
    parser.add_argument("-n", "--steps", type=positive, help="updates (1500; with --examples 300)")
    parser.add_argument(
        "--size", type=positive, help="of the network's pictures (unet 84, yolo 160, segformer 512)"
    )
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
    from distraction_gym.bench.segmenters import HELD_OUT_SEED, agreement

    _check(args)
    require("torch", "agents")
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    shown = list(dict.fromkeys([*(args.env or ()), *args.held_out]))
    share = args.eval_frames * len(shown) * len(args.measure)
    measured = _source(args, shown, args.measure, share, args.seed + HELD_OUT_SEED)
    measured.names()  # a misspelt one must not cost the training before it
    start = start_of(args)
    samples, rest = _samples(args)
    print(f"{len(samples.frames)} frames of {args.annotated or f'{len(args.env)} environments'}")
    segmenter = MODELS[args.model].train(samples, start, args)
    print(f"wrote {args.out}: {_size(args.out) / 1e6:.2f} MB")
    scores = _measured(segmenter, measured) if shown else {}
    if len(rest.frames):
        scores["annotated"] = _rounded(
            agreement(segmenter.foreground(rest.frames), rest.foreground)
        )
        print(f"the other {len(rest.frames)} frames of {args.annotated}: {scores['annotated']}")
    tell(args, {"frames": len(samples.frames), "scores": scores})


def _measured(segmenter: Segmenter, source: Source) -> dict[str, dict[str, float]]:
    """Measure on episodes of the oracle's, print it, and return the figures of every ID."""
    from distraction_gym.bench.segmenters import measure, table

    scores = measure(segmenter, source)
    print("On episodes that were not trained on, against the oracle:")
    for figure in FIGURES:
        print(table(scores, figure), end="\n\n")
    return {str(score.env): _rounded(np.array(score[1:])[:, None]) for score in scores}


def _check(args: argparse.Namespace) -> None:
    both = sorted({*args.modes} & {*args.measure} - {CLEAN})
    if both:
        raise OptionError(
            f"{', '.join(both)}: a mode that is measured must not be trained on, or the same "
            "footage is in both. Take it out of --modes or of --measure"
        )
    if args.model == "segformer":
        if args.out.is_file():
            raise OptionError(f"--out {args.out}: a SegFormer is a folder, and this is a file")
    elif args.out.suffix != ".pt":
        raise OptionError(f"--out {args.out}: expected a name that ends in .pt")
    if args.model == "yolo" and (args.examples or args.start):
        raise OptionError("--examples and --start are for --model unet and segformer")


def _samples(args: argparse.Namespace) -> tuple[Samples, Samples]:
    """Return what to train on, and those of the user's own frames that are left for measuring."""
    samples, rest = _own(args) if args.annotated else _played(args)
    size = args.size or MODELS[args.model].size
    if args.model == "segformer":  # scales by itself, in disguise already: small frames are cheap
        size = min(size, max(samples.frames.shape[1:3]))
    return samples.at(size), rest


def _own(args: argparse.Namespace) -> tuple[Samples, Samples]:
    from distraction_gym.segmentation.examples import read_annotated, spread

    samples = read_annotated(args.annotated)
    count = len(samples.frames)
    if (args.examples or 0) > count:
        raise OptionError(f"--examples {args.examples}: {args.annotated} holds {count}")
    chosen = spread(samples.frames, args.examples or count)
    return samples.of(chosen), samples.of(sorted({*range(count)} - {*chosen}))


def _played(args: argparse.Namespace) -> tuple[Samples, Samples]:
    from distraction_gym.bench.segmenters import examples, gather

    frames = args.frames or (POOL if args.examples else FRAMES)
    source = _source(args, args.env, args.modes, frames, args.seed)
    if (args.examples or 0) > source.share() * len(args.modes):
        raise OptionError(f"--examples {args.examples}: too many to choose of --frames {frames}")
    samples = examples(source, args.examples) if args.examples else gather(source)
    return samples, samples.of([])


def _source(
    args: argparse.Namespace, envs: list[str], modes: list[str], frames: int, seed: int
) -> Source:
    from distraction_gym.bench.segmenters import Source

    return Source(tuple(envs), tuple(modes), frames, seed, args.assets, env_kwargs(args))


def _rounded(figures: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the means of figures `(3, B)`, named."""
    means = figures.mean(axis=1).round(4).tolist()
    return {figure.lower(): mean for figure, mean in zip(FIGURES, means, strict=True)}


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    return sum(file.stat().st_size for file in files)
