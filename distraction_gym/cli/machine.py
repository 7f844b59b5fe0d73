"""`doctor` and `fetch`: what this machine has, and how it gets the rest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("doctor", help="find what works here, and what to type if not")
    parser.set_defaults(run=_doctor)
    parser = commands.add_parser("fetch", help="download clips that are not ours to ship")
    parser.add_argument("source", help="dmcgb, or a manifest of your own (a .json file)")
    parser.add_argument("--packs", nargs="+", metavar="PACK", help="default: all of them")
    parser.add_argument("--into", type=Path, metavar="DIR", help="default: the cache")
    parser.set_defaults(run=_fetch)


def _doctor(args: argparse.Namespace) -> int:
    from distraction_gym.cli.doctor import doctor

    return doctor()


def _fetch(args: argparse.Namespace) -> None:
    from distraction_gym.assets import manifest
    from distraction_gym.assets.fetch import fetch

    source = Path(args.source) if args.source.endswith(".json") else args.source
    print(manifest.load(source).terms, flush=True)
    folder = fetch(source, packs=args.packs, into=args.into, report=_say)
    print(f"all files are in {folder}")


def _say(path: str, state: str) -> None:
    print(f"  {state:10} {path}", flush=True)
