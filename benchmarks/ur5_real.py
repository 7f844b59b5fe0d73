"""MaDi on ur5_real before a simulated controller: timing, and what each fault does.

    python benchmarks/ur5_real.py learn --steps 300
    python benchmarks/ur5_real.py resets --count 50
    python benchmarks/ur5_real.py faults
    python benchmarks/ur5_real.py faults --faults protective_stop stall --when learning

The client is the unmodified ur-rtde, the controller a process on loopback with MuJoCo's arm, the
camera its wrist view.

`learn`: MaDi at the paper's networks, learning in a thread (`--synchronous`: between steps), and
the timing that the environment reports.

`resets`: one after the other, with some steps between.

`faults`: each fault during a reset, steps by hand, or learning, a row each: what the user sees; how
long after the fault the controller, asked every 20 ms, still saw the arm move, and how far; how one
goes on; and what was kept of what had been stored and learned.

Markdown, on the standard output.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

import distraction_gym  # noqa: F401  registers the IDs
from distraction_gym.agents import MaDi
from distraction_gym.agents.common.checkpoint import latest_checkpoint
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.envs.ur5.controller.process import CameraProcess, ControllerProcess
from distraction_gym.envs.ur5.task import RESET_POSE
from distraction_gym.envs.ur5_real.faults import ArmFault

ID = "distraction_gym/ur5_real-reach-lab-v0"
VIEW = "distraction_gym.envs.ur5.wrist:WristView"
LIMITS = {"safety": {"speed": 2.0, "tool_speed": 1.0, "reset_speed": 1.0}, "task": {"speed": 2.0}}
AWAY = [angle + 0.3 for angle in RESET_POSE]
GO = np.array([0.5, 0, 0, 0, 0], np.float32)
BACK = -GO
MEASURED = ("control_period", "jitter", "camera_age")
_LOOK = 0.02
_MOVES = 1e-3  # rad/s
_WATCH = 8.0
SMALL: dict[str, Any] = {
    "batch_size": 16,
    "buffer_size": 5000,
    "learning_starts": 50,
    "catch_up_updates": 0,
    "train_freq": 5,
    "gradient_steps": 3,  # MaDi's: at most 0.6 updates per step
    "augment": "random_conv",
    "asynchronous": True,
    "seed": 0,
}


class Lab:
    """A controller and its camera."""

    def __init__(self, host: str) -> None:
        self.controller = ControllerProcess(host, body="mujoco", start=AWAY)
        self.camera = CameraProcess(host, VIEW)

    def __enter__(self) -> Lab:
        self.controller.start()
        try:
            self.camera.start()
        except BaseException:
            self.controller.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.camera.stop()
        self.controller.stop()

    def make(self, **kwargs: Any) -> gym.Env:
        """Build the environment of this lab."""
        return gym.make(
            ID, robot_ip=self.controller.host, camera=self.camera.url, limits=LIMITS, **kwargs
        )


class Watch:
    """Looks at the arm from the moment of a fault on: when it last moved, and how far."""

    def __init__(self, controller: ControllerProcess) -> None:
        self._controller = controller
        self.seconds, self.way = 0.0, 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._start = self._controller.state()["q"]
        self._begun = time.monotonic()
        self._thread.start()

    def _look(self) -> None:
        still = 0
        while time.monotonic() < self._begun + _WATCH and still < 25:
            state = self._controller.state()
            now = time.monotonic() - self._begun
            if np.abs(state["qd"]).max() > _MOVES:
                self.seconds, still = now, 0
            else:
                still += 1
            self.way = float(np.abs(np.subtract(state["q"], self._start)).max())
            time.sleep(_LOOK)

    def end(self) -> tuple[float, float]:
        """Return seconds until the arm stood, and rad of the joint that went farthest."""
        self._thread.join()
        return self.seconds, self.way


class Row(NamedTuple):
    """What one fault did."""

    seen: str
    seconds: float
    way: float
    gone_on: str
    kept: str


@dataclass
class Injected:
    """One kind of fault."""

    inject: Callable[[Lab, gym.Env], None]
    mend: Callable[[Lab], None] = lambda _: None
    """What a person does before it goes on."""


def _by_controller(name: str, mend: str = "", **arguments: float) -> Injected:
    return Injected(
        lambda lab, _: lab.controller.inject(name, **arguments),
        lambda lab: _unlock(lab) if mend == "unlock" else None,
    )


def _unlock(lab: Lab) -> None:
    from distraction_gym.envs.ur5_real import dashboard

    dashboard.unlock_protective_stop(lab.controller.host)


def _press_and_release(lab: Lab) -> None:
    from distraction_gym.envs.ur5_real import dashboard

    if lab.controller.state()["safety_mode"] > 2:
        lab.controller.inject("release_emergency_stop")
    dashboard.ask(lab.controller.host, "close safety popup", "power on", "brake release")
    time.sleep(2.0)


def _silence_camera(lab: Lab, _: gym.Env) -> None:
    lab.camera.freeze()


INJECTED = {
    "protective_stop": _by_controller("protective_stop", "unlock"),
    "emergency_stop": Injected(
        lambda lab, _: lab.controller.inject("emergency_stop"), _press_and_release
    ),
    "power_off": Injected(lambda lab, _: lab.controller.inject("power_off"), _press_and_release),
    "script_death": _by_controller("script_death"),
    "lost_packets": _by_controller("lost_packets", fraction=0.3, seconds=2.0),
    "stall": _by_controller("stall", seconds=2.0),
    "socket_close": _by_controller("socket_close"),
    "worker killed": Injected(lambda _, env: os.kill(env.unwrapped._arm.pid, signal.SIGKILL)),
    "camera silent": Injected(_silence_camera, lambda lab: lab.camera.thaw()),
}


class At(BaseCallback):
    """Injects a fault at a step of learning."""

    def __init__(self, step: int, inject: Callable[[], None]) -> None:
        super().__init__()
        self.step, self.inject = step, inject

    def _on_step(self) -> bool:
        if self.num_timesteps == self.step:
            self.inject()
        return True


def during_reset(lab: Lab, env: gym.Env, fault: Injected) -> Row:
    """Inject a fault while the arm is on its way to where episodes begin."""
    env.reset()
    for _ in range(40):
        env.step(GO)
    watch = Watch(lab.controller)

    def later() -> None:
        watch.start()
        fault.inject(lab, env)

    timer = threading.Timer(0.3, later)
    timer.start()
    seen = "nothing"
    try:
        env.reset()
    except ArmFault as error:
        seen = f"`reset` raises `{error.name}`"
    timer.join()
    return Row(seen, *watch.end(), _go_on(lab, env, fault), "")


def during_step(lab: Lab, env: gym.Env, fault: Injected) -> Row:
    """Inject a fault between two steps."""
    env.reset()
    for _ in range(10):
        env.step(GO)
    watch = Watch(lab.controller)
    watch.start()
    fault.inject(lab, env)
    seen = "nothing"
    for step in range(100):
        *_, truncated, info = env.step(GO if step < 10 else BACK)
        if "fault" in info:
            seen = f"truncation, `{info['fault']}`"
            break
        if truncated:
            env.reset()
    return Row(seen, *watch.end(), _go_on(lab, env, fault), "")


def during_learning(lab: Lab, env: gym.Env, fault: Injected) -> Row:
    """Inject a fault while MaDi learns, and let it learn on."""
    model = MaDi("CnnPolicy", env, **SMALL)
    watch = Watch(lab.controller)

    def inject() -> None:
        watch.start()
        fault.inject(lab, env)

    with TemporaryDirectory() as folder:
        keep = ResumableCheckpoint(folder, every=10**6)
        seen = "nothing"
        try:
            model.learn(200, callback=[keep, At(120, inject)])
        except ArmFault as error:
            seen = f"`learn` raises `{error.name}`"
        found = watch.end()
        stored, learned = model.num_timesteps, model._n_updates
        kept = f"{model.replay_buffer.size()} of {stored} steps, {learned} updates"
        if seen != "nothing":
            kept += f", checkpoint {latest_checkpoint(folder).name.split('-', 1)[1]}"
            gone_on = _mend(lab, env, fault)
            model.learn(30, callback=keep, reset_num_timesteps=False)
            ok = model.num_timesteps == stored + 30 and model._n_updates >= learned
            gone_on += ", `learn` goes on" if ok else ", FAILED"
        else:
            gone_on = "by itself"
    return Row(seen, *found, gone_on, kept)


def _mend(lab: Lab, env: gym.Env, fault: Injected) -> str:
    """Do what a person would, then `recover`."""
    fault.mend(lab)
    give_up = time.monotonic() + 20.0
    while True:
        try:
            env.unwrapped.recover()
            return "`recover()`"
        except ArmFault:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.5)


def _go_on(lab: Lab, env: gym.Env, fault: Injected) -> str:
    if env.unwrapped._fault is None:
        fault.mend(lab)
        env.reset()
        return "by itself"
    said = _mend(lab, env, fault)
    env.reset()
    env.step(GO)
    return said


MOMENTS = {"reset": during_reset, "step": during_step, "learning": during_learning}


def faults(args: argparse.Namespace) -> None:
    """Print the table of faults."""
    print(
        "| fault | during | what the user sees | arm stood after | moved on by | goes on | kept |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in args.faults:
        for when in args.when:
            with Lab(args.host) as lab:
                env = lab.make(stale_after=args.stale_after)
                try:
                    row = MOMENTS[when](lab, env, INJECTED[name])
                except ArmFault as error:
                    row = Row("", 0.0, 0.0, f"FAILED: {error.name}", "")
                finally:
                    env.close()
            print(
                f"| {name} | {when} | {row.seen} | {row.seconds:.2f} s | {row.way:.2f} rad "
                f"| {row.gone_on} | {row.kept} |",
                flush=True,
            )


class Timing(BaseCallback):
    """Collects what the environment says of its timing."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[float]] = {name: [] for name in MEASURED}
        self.missed = self.faults = 0
        self._before = 0

    def _on_step(self) -> bool:
        info = self.locals["infos"][0]
        for name, values in self.values.items():
            if name in info:
                values.append(info[name])
        missed = int(info.get("missed_deadlines", 0))
        self.missed += max(missed - self._before, 0)
        self._before = missed
        self.faults += "fault" in info
        return True


def learn(args: argparse.Namespace) -> None:
    """Let MaDi learn, and print how well the loop kept its rate."""
    with Lab(args.host) as lab:
        env = lab.make(auto_recover=True, stale_after=args.stale_after, image_size=args.image_size)
        try:
            settings = {**SMALL, "asynchronous": not args.synchronous}
            model, timing = MaDi("CnnPolicy", env, **settings), Timing()
            begun = time.monotonic()
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                model.learn(args.steps, callback=timing)
            took = time.monotonic() - begun
        finally:
            env.close()
    print(f"{args.steps} steps and {model._n_updates} updates in {took:.1f} s")
    print(f"missed deadlines: {timing.missed}; faults: {timing.faults}")
    print("| ms | p50 | p90 | p99 | largest |\n|---|---|---|---|---|")
    for name, values in timing.values.items():
        p = [1000 * v for v in (*np.percentile(values, (50, 90, 99)), max(values))]
        print(f"| {name} | {' | '.join(f'{v:.1f}' for v in p)} |")


def resets(args: argparse.Namespace) -> None:
    """Reset again and again, with some steps between."""
    seconds = []
    with Lab(args.host) as lab:
        env = lab.make(stale_after=args.stale_after)
        try:
            for count in range(args.count):
                begun = time.monotonic()
                env.reset(seed=count)
                seconds.append(time.monotonic() - begun)
                for _ in range(15):
                    env.step(GO if count % 2 else BACK)
        finally:
            env.close()
    print(f"{args.count} resets, {np.median(seconds):.2f} s each, {max(seconds):.2f} at most")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.41", help="of the simulated controller")
    parser.add_argument("--stale-after", type=float, default=0.1, metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=1, help="torch's (default 1)")
    orders = parser.add_subparsers(dest="order", required=True)
    order = orders.add_parser("learn")
    order.add_argument("--steps", type=int, default=300)
    order.add_argument("--image-size", type=int, default=84)
    order.add_argument("--synchronous", action="store_true", help="updates between steps")
    order.set_defaults(run=learn)
    order = orders.add_parser("resets")
    order.add_argument("--count", type=int, default=50)
    order.set_defaults(run=resets)
    order = orders.add_parser("faults")
    order.add_argument("--faults", nargs="+", choices=INJECTED, default=list(INJECTED))
    order.add_argument("--when", nargs="+", choices=MOMENTS, default=list(MOMENTS))
    order.set_defaults(run=faults)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
