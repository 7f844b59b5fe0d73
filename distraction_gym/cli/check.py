"""`check`: does every distraction keep its promises, those of other packages included?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="test distractions, your plug-ins included")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="default: all that there are")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    from distraction_gym.distractions import DISTRACTIONS
    from distraction_gym.testing import STAGES, report

    kinds = args.kinds or sorted(DISTRACTIONS)
    for kind in kinds:
        DISTRACTIONS[kind]  # an unknown one raises before anything is run
    print("kind".ljust(14), *(stage.ljust(14) for stage in STAGES))
    faults = []
    for kind in kinds:
        results = list(report([{"kind": kind}]))
        faults += [result for result in results if result.outcome == "failed"]
        cells = [[row.outcome for row in results if row.stage == stage] for stage in STAGES]
        print(kind.ljust(14), *(_cell(outcomes).ljust(14) for outcomes in cells), flush=True)
    for fault in faults:
        print(f"{fault.kind} on {fault.stage}: {fault.check}: {fault.message}", file=sys.stderr)
    return 1 if faults else 0


def _cell(outcomes: list[str]) -> str:
    """Return one word for the checks of a kind on a stage."""
    if "failed" in outcomes:
        return f"{outcomes.count('failed')} failed"
    return "unsupported" if "unsupported" in outcomes else "ok"
