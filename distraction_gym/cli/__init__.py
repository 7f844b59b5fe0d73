"""The command line: `distraction-gym list | show | doctor | fetch | train | eval | record | ...`.

Commands are thin: they parse, call the library, and print. Heavy libraries load inside them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import gymnasium as gym

from distraction_gym import __version__
from distraction_gym.cli import agents, bench, check, environments, machine, segmenters, ur5
from distraction_gym.errors import DistractionGymError

WRONG_INPUT = 2
INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="distraction-gym",
        description="Does my agent still work when the picture is full of things that do not "
        "matter?",
    )
    parser.add_argument("--version", action="version", version=f"distraction-gym {__version__}")
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error (before the command)"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (environments, check, machine, agents, segmenters, bench, ur5):
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 2 with one clear line for wrong input."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except BrokenPipeError:  # `... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DistractionGymError, gym.error.Error, OSError, ValueError) as error:
        if args.debug:
            raise
        print(f"distraction-gym {args.command}: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt as stop:
        if stop.args:
            print(f"distraction-gym {args.command}: {stop}", file=sys.stderr)
        return INTERRUPTED
