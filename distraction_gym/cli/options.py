"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from distraction_gym.errors import DistractionGymError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class OptionError(DistractionGymError, ValueError):
    """An option whose value cannot be read."""


def add_assets(parser: argparse.ArgumentParser) -> None:
    """Add `--assets`."""
    parser.add_argument(
        "--assets",
        default="auto",
        metavar="DIR",
        help="where clips and colour tables are: a folder, 'generated', or 'auto' (default)",
    )


def add_env_kwargs(parser: argparse.ArgumentParser) -> None:
    """Add `--env-set`."""
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a keyword of gym.make, its value in JSON; may be repeated",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--device` and `--threads`."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument(
        "--threads", type=positive, default=None, help="torch's threads (default: torch's own)"
    )


def env_kwargs(args: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords that `--env-set` gave."""
    return settings(args.env_set)


def settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse `key=value` pairs; values are JSON, and a word that is no JSON stands for itself.

    Dots reach inside: `policy_kwargs.features_dim=50`.

    Raises:
        OptionError: for a pair without a key or an equals sign.
    """
    result: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise OptionError(f"expected KEY=VALUE (for instance batch_size=64), got {pair!r}")
        *outer, last = key.split(".")
        inner = result
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = _value(text)
    return result


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def positive(text: str) -> int:
    """Parse an integer above zero, for argparse."""
    value = int(text.replace("_", "").replace(",", ""))
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value
