"""`ur5 simulate`: a UR controller and its camera without an arm; the other orders are the lab's."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from distraction_gym.cli import ur5_check, ur5_screen
from distraction_gym.envs.ur5.controller import __main__ as controller
from distraction_gym.envs.ur5.controller.process import CAMERA_PORT, FAULTS_PORT, CameraProcess

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands

_WRIST_VIEW = "distraction_gym.envs.ur5.wrist:WristView"


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("ur5", help="the arm of UR5 tasks")
    orders = parser.add_subparsers(dest="order", metavar="ORDER", required=True)
    parser = orders.add_parser(
        "simulate", help="serve a simulated controller and camera (a test bed, never for safety)"
    )
    controller.add_options(parser)
    parser.set_defaults(body="mujoco", faults_port=FAULTS_PORT, start=None)
    parser.add_argument("--camera-port", type=int, default=CAMERA_PORT, metavar="PORT")
    parser.add_argument("--no-camera", action="store_true", help="serve the controller only")
    ur5_screen.add_clips(parser)
    parser.set_defaults(run=_simulate)
    ur5_check.add(orders)
    ur5_screen.add(orders)


def _simulate(args: argparse.Namespace) -> None:
    from distraction_gym.envs.ur5.task import RESET_POSE

    args.start = args.start or RESET_POSE
    with contextlib.ExitStack() as stack:
        if not args.no_camera:
            camera = CameraProcess(
                args.host,
                _WRIST_VIEW,
                {"robot": args.model, **ur5_screen.clips(args)},
                port=args.camera_port,
                faults_port=args.faults_port,
            )
            stack.enter_context(camera)
            print(f"camera: {camera.url}\nscreen: {camera.url.removesuffix('/video')}", flush=True)
        controller.serve(args)
