"""`python -m distraction_gym.envs.ur5.controller --host 127.0.0.11`: serve until stopped."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.controller.arm import Body
from distraction_gym.envs.ur5.controller.machine import HOME, Machine
from distraction_gym.envs.ur5.controller.process import SERVING
from distraction_gym.envs.ur5.controller.server import Server
from distraction_gym.envs.ur5.controller.variables import Version
from distraction_gym.errors import DistractionGymError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the simulated controller can be told."""
    parser.add_argument("--host", default="127.0.0.11", help="its address, in 127.0.0.0/8")
    parser.add_argument("--model", default="ur5e", choices=sorted(kinematics.ARMS))
    parser.add_argument(
        "--version",
        dest="controller_version",
        metavar="VERSION",
        help="of the controller; default 5.11.1, for ur5 3.15.4 (a CB3, 125 Hz)",
    )
    parser.add_argument(
        "--body",
        default="lag",
        choices=("lag", "mujoco"),
        help="how joints follow: a lag, or the suite's arm in MuJoCo (mujoco has to be installed)",
    )
    parser.add_argument(
        "--start",
        type=_joints,
        default=HOME,
        metavar="Q1,...,Q6",
        help="joints at the start, rad; write --start=...",
    )
    parser.add_argument(
        "--faults-port", type=int, metavar="PORT", help="serve the side channel that makes faults"
    )
    parser.add_argument(
        "--speed-factor", type=float, default=1.0, help="seconds of its clock in one second"
    )
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent has ended")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    args = parser.parse_args(argv)
    try:
        serve(args)
    except (DistractionGymError, ValueError, OSError) as error:
        print(f"simulated controller: {error}", file=sys.stderr)
        return 2
    return 0


def serve(args: argparse.Namespace) -> None:
    """Serve as the options of `add_options` say.

    Raises:
        ValueError: for an address or a version that is not served.
        OSError: where a port is taken.
    """
    version = args.controller_version or ("3.15.4" if args.model == "ur5" else "5.11.1")
    kind, body = kinematics.arm_named(args.model), _body(args.body, args.model)
    machine = Machine(kind, Version.parse(version), args.start, body)
    server = Server(machine, args.host, args.faults_port, args.speed_factor)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    parent = args.parent
    print(
        f"{SERVING} a simulated {args.model}, controller {version}, at {args.host} "
        "(a test bed, never a safety function)",
        flush=True,
    )
    try:
        server.run(lambda: not stopped and (parent is None or os.getppid() == parent))
    finally:
        server.close()


def _body(name: str, robot: str) -> Body | None:
    if name == "lag":
        return None
    from distraction_gym.envs.ur5.controller.dynamics import MujocoBody

    return MujocoBody(robot)


def _joints(text: str) -> tuple[float, ...]:
    joints = tuple(map(float, text.split(",")))
    if len(joints) != len(HOME):
        raise argparse.ArgumentTypeError(f"expected 6 angles, got {len(joints)}")
    return joints


if __name__ == "__main__":
    raise SystemExit(main())
