"""`ur5 screen`: the task's picture on the lab's monitor."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from distraction_gym.cli.options import add_assets

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands

_CLEAN = "clean"


def add(orders: Commands) -> None:
    """Add the order to those of `ur5`."""
    parser = orders.add_parser("screen", help="fill the lab's monitor with the task's picture")
    add_clips(parser)
    parser.add_argument(
        "--calibrate", action="store_true", help="a pattern to place monitor and camera by"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to be told of the disc; 0.0.0.0: from other computers, too",
    )
    parser.add_argument("--port", type=int, metavar="PORT", help="(default 8090)")
    parser.set_defaults(run=_screen)


def add_clips(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is behind the disc."""
    parser.add_argument(
        "--mode",
        default=_CLEAN,
        metavar="NAME",
        help="what is behind the disc: clean (white; the default), or the clips of video_easy, "
        "video_hard or a folder of your own",
    )
    add_assets(parser)
    parser.add_argument("--seed", type=int, help="of the order of clips (default: none)")


def clips(args: argparse.Namespace) -> dict[str, Any]:
    """Return what those options say, as keywords of `screen.Screen` and `wrist.WristView`."""
    pack = None if args.mode == _CLEAN else args.mode
    return {"pack": pack, "assets": args.assets, "seed": args.seed}


def _screen(args: argparse.Namespace) -> None:
    from distraction_gym.envs.ur5_real import screen

    port = screen.PORT if args.port is None else args.port
    content = screen.Screen(**clips(args))
    window = screen.Window()
    try:
        if args.calibrate:
            screen.show_calibration(window)
            return
        print(f"told of the disc at http://{args.host}:{port}; Esc ends it", flush=True)
        screen.play(content, window, args.host, port)
    finally:
        window.close()
