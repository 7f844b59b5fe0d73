"""`doctor` and `fetch`: what this machine has, and how it gets the rest."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("doctor", help="find what works here, and what to type if not")
    parser.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from distraction_gym.cli.doctor import doctor

    return doctor()
