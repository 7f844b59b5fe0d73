"""`ur5 check`: a first run with a real arm, one step after the other."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from distraction_gym.cli.options import Commands
    from distraction_gym.envs.ur5.kinematics import Arm, Vector
    from distraction_gym.envs.ur5_real.arm import ArmProcess
    from distraction_gym.envs.ur5_real.lab import Lab
    from distraction_gym.envs.ur5_real.worker import Settings

MOVE = 0.005
"""Metres, upwards and back."""
_MOVE_SECONDS = 10.0
_CALIBRATION = 5.0  # mm by which an arm may differ from the lengths of its kind


def add(orders: Commands) -> None:
    """Add the order to those of `ur5`."""
    parser = orders.add_parser("check", help="check arm, camera and limits; move 5 mm if allowed")
    parser.add_argument("--robot-ip", required=True, metavar="ADDRESS")
    parser.add_argument("--robot", default="ur5e", choices=("ur5", "ur5e"))
    parser.add_argument("--camera", default="0", help="a number, a URL or a video file (default 0)")
    parser.add_argument("--limits", metavar="JSON", help="the lab's limits")
    parser.add_argument(
        "--picture", type=Path, default=Path("ur5_camera.png"), help="where to save what it sees"
    )
    parser.add_argument("--no-move", action="store_true", help="only look")
    parser.add_argument("--unattended", action="store_true", help="move without asking anybody")
    parser.add_argument(
        "--stale-after",
        type=float,
        default=0.1,
        metavar="SECONDS",
        help="of silence; then it stops",
    )
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> None:
    from distraction_gym.envs.ur5_real import dashboard
    from distraction_gym.envs.ur5_real.lab import Lab, allow, described
    from distraction_gym.envs.ur5_real.worker import Settings

    lab = Lab.read(args.limits)
    print(f"controller at {args.robot_ip}:\n{described(args.robot_ip, lab)}")
    dashboard.check_ready(args.robot_ip)
    print("ready: power on, no stop, remote control, no other program")
    _look(args.camera, args.picture)
    settings = Settings(
        args.robot_ip, args.robot, lab.safety, stale_after=args.stale_after, log=os.devnull
    )
    _check_limits(dataclasses.replace(settings, dry_run=True), lab)
    if args.no_move:
        return
    allow(args.robot_ip, lab, args.unattended)
    _move(settings)


def _look(source: str, path: Path) -> None:
    """Save a picture of the camera and say what it shows of the disc."""
    import cv2

    from distraction_gym.envs.ur5.task import BIG_ENOUGH, target_mask
    from distraction_gym.envs.ur5_real.camera import Camera, reduced

    camera = Camera(int(source) if source.isdigit() else source)
    try:
        frame, age = camera.newest()
    finally:
        camera.close()
    if not cv2.imwrite(str(path), frame[..., ::-1]):
        raise OSError(f"{path} cannot be written")
    height, width = frame.shape[:2]
    print(f"camera: {width} x {height}, {age * 1000:.0f} ms old; saved as {path}: look at it")
    share = target_mask(reduced(frame)).mean()
    print(f"the red disc fills {share:.1%} of it (a success needs {BIG_ENOUGH:.1%})")


def _check_limits(settings: Settings, lab: Lab) -> None:
    """Check where the arm is, and its way to where episodes begin."""
    from distraction_gym.envs.ur5.kinematics import arm_named
    from distraction_gym.envs.ur5_real.arm import ArmProcess
    from distraction_gym.envs.ur5_real.safety import Safety

    arm = ArmProcess(settings)
    try:
        reading = arm.read().reading
    finally:
        arm.close()
    q, kind = reading.q, arm_named(settings.robot)
    print(f"joints at {np.round(q, 3).tolist()} rad")
    _compare_tool(kind, q, reading.pose)
    Safety(kind, lab.safety).check_way(q, lab.reset_pose)
    print("limits: the arm is within them, and so is its way to where episodes begin")


def _compare_tool(kind: Arm, q: Vector, pose: Vector) -> None:
    """Say where the flange is, and warn where the controller's tool is elsewhere."""
    from distraction_gym.envs.ur5 import kinematics

    flange = kinematics.forward(kind, q)
    tool = 1000 * (flange[:3, :3].T @ (pose[:3] - flange[:3, 3]))
    print(
        f"flange at {np.round(flange[:3, 3], 3).tolist()} m; the controller's tool is at "
        f"{np.round(tool, 1).tolist()} mm from it"
    )
    if np.linalg.norm(tool) > _CALIBRATION:
        print(
            "warning: limits are about the flange and know nothing of a tool. Leave room for it "
            f"in tool_low and tool_high. If no tool is mounted: is this a {kind.name}, and is its "
            "tool (TCP) zero on the pendant?"
        )


def _move(settings: Settings) -> None:
    """Move the flange up and back, and say how far it came."""
    from distraction_gym.envs.ur5 import kinematics
    from distraction_gym.envs.ur5_real.arm import ArmProcess

    kind = kinematics.arm_named(settings.robot)
    arm = ArmProcess(settings)
    try:
        before = arm.read().reading
        flange = kinematics.forward(kind, before.q)
        flange[2, 3] += MOVE
        goal = kinematics.nearest(kind, flange, before.q)
        if goal is None:
            print("move: the arm cannot go up from here; bend it a little")
            return
        up = _go(arm, goal)
        back = _go(arm, before.q)
    finally:
        arm.close()
    rose, off = (1000 * (pose - before.pose)[:3] for pose in (up, back))
    print(
        f"move: up by {rose[2]:.1f} mm (asked for {1000 * MOVE:.0f}), back within "
        f"{np.abs(off).max():.1f} mm"
    )


def _go(arm: ArmProcess, goal: Vector) -> Vector:
    """Go to a place; return the tool's pose there."""
    state = arm.go(goal)
    give_up = time.monotonic() + _MOVE_SECONDS
    while state.moving and time.monotonic() < give_up:
        time.sleep(0.02)
        state = arm.read()
    return state.reading.pose
