r"""Dreamer's updates and steps per second, beside the public PyTorch port of DreamerV3.

    git clone https://github.com/NM512/dreamerv3-torch
    python benchmarks/world_model_speed.py --peer dreamerv3-torch
    python benchmarks/world_model_speed.py --ours plain precision=bfloat16 --sizes small
    python benchmarks/world_model_speed.py --peer dreamerv3-torch --fast-peer --device cuda \
        --ours plain precision=bfloat16,compile_mode=default

Both get the same networks (17.9 million parameters in all sizes but `mini`), the same sequences
of generated pictures, 6 actions, and an imagination of 15 states. An update is what follows on
sampling: the batch becomes floats, world model, actor and critic. Each case is a process of its
own; all of them live at the same time and take turns, so that a busy machine slows all of them.

Steps per second are those of collecting, without updates: acting, stepping environments that show
pictures and do nothing else, and storing.

`--check` measures nothing: it gives both the same weights and compares the losses of two updates.
Without `--peer` it is Dreamer alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from update_speed import Pictures, arguments, peak

from distraction_gym.agents import Dreamer
from distraction_gym.agents.dreamer import Sequences
from distraction_gym.agents.dreamer.rssm import State

SIDE, ACTIONS = 64, 6
SMALL_NETWORKS = {"deter": 128, "stoch": 8, "classes": 8, "hidden": 128, "units": 128, "depth": 8}
SIZES: dict[str, tuple[int, int, dict[str, int]]] = {
    "mini": (8, 16, SMALL_NETWORKS),
    "small": (4, 16, {}),
    "paper": (16, 64, {}),
}
"""Sequences, their steps, and networks where they are not the paper's."""
PARTS = ("world model", "behavior")


class OnePicture(Pictures):
    """Generated pictures one at a time, in episodes of the paper's length."""

    def __init__(self) -> None:
        super().__init__(SIDE, length=500)
        self.observation_space = spaces.Box(0, 255, (3, SIDE, SIDE), np.uint8)

    def _stack(self) -> np.ndarray:
        return self.frames[self.now % 500]


def sequences(batch: int, steps: int, device: str) -> Sequences:
    """Draw sequences of generated pictures."""
    draw, env = np.random.default_rng(0), OnePicture()
    starts = draw.integers(500, size=(batch, 1))
    image = env.frames[(starts + np.arange(steps)) % 500]
    first = np.zeros((batch, steps), np.float32)
    first[:, 0] = 1
    action = draw.uniform(-1, 1, (batch, steps, ACTIONS)).astype(np.float32)
    action[:, 0] = 0
    reward = draw.random((batch, steps), np.float32)
    arrays = image, action, reward, first, np.zeros_like(first)
    return Sequences(*(torch.as_tensor(array, device=device) for array in arrays))


class Ours:
    """Dreamer, with the calls that are measured."""

    def __init__(self, options: dict[str, Any], size: str, envs: int, device: str) -> None:
        batch, steps, networks = SIZES[size]
        self.model = Dreamer(
            "CnnPolicy",
            make_vec_env(OnePicture, envs),
            buffer_size=2000,
            learning_starts=0,
            batch_size=batch,
            batch_length=steps,
            train_ratio=0.0,
            pretrain_updates=0,
            draw_every=0,
            seed=0,
            device=device,
            policy_kwargs=networks,
            **options,
        )
        behavior = self.model.policy.behavior
        trained = [self.model.policy.world_model, behavior.actor, behavior.critic]
        self.parameters = sum(p.numel() for part in trained for p in part.parameters())
        self.model.learn(2)
        self.model.policy.set_training_mode(True)

    def batch(self, drawn: Sequences) -> Sequences:
        """Return a batch as it is."""
        return drawn

    def update_world(self, batch: Sequences) -> None:
        """Train the world model."""
        self.learned, _ = self.model.update_model(batch)

    def update_behavior(self) -> None:
        """Train actor and critic from the states of the last batch."""
        starts = State(*(part.detach().flatten(0, 1) for part in self.learned.states))
        self.model._update_behavior(starts)

    def play(self, steps: int) -> None:
        """Make steps without an update."""
        self.model.learn(steps, reset_num_timesteps=False, log_interval=None)
        self.model.policy.set_training_mode(True)


class Theirs:
    """The port, with the same calls."""

    def __init__(self, folder: Path, fast: bool, size: str, envs: int, device: str) -> None:
        from dreamerv3_torch import Peer, PeerEnv

        self.peer = Peer(folder, SIDE, ACTIONS, SIZES[size][2], device, fast)
        self.envs = [PeerEnv(OnePicture(), str(at)) for at in range(envs)]
        self.parameters = self.peer.parameters
        self.batch, self.update_world = self.peer.batch, self.peer.update_world
        self.update_behavior = self.peer.update_behavior

    def play(self, steps: int) -> None:
        """Make steps without an update."""
        self.peer.play(self.envs, steps)


def build(case: str, args: argparse.Namespace, size: str, envs: int = 1) -> Ours | Theirs:
    side, _, changes = case.partition(":")
    if side == "peer":
        return Theirs(args.peer, changes == "fast", size, envs, args.device)
    return Ours(arguments(changes), size, envs, args.device)


def clocked(device: str, action: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds that something takes: of the clock, and of the processors."""
    wait = torch.cuda.synchronize if device != "cpu" else lambda: None
    wait()
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    wait()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_updates(case: str, args: argparse.Namespace, size: str) -> Any:
    """Yield after building; then seconds of an update's parts, forever."""
    subject = build(case, args, size)
    batch = subject.batch(sequences(*SIZES[size][:2], args.device))
    parts = (lambda: subject.update_world(batch)), subject.update_behavior
    for _ in range(args.warm_up):
        for part in parts:
            part()
    yield subject.parameters
    while True:
        yield {name: clocked(args.device, part) for name, part in zip(PARTS, parts, strict=True)}


def measure_steps(case: str, args: argparse.Namespace, size: str, envs: int) -> Any:
    """Yield after building; then seconds of a step, forever."""
    subject = build(case, args, size, envs)
    subject.play(10 * envs)
    yield subject.parameters
    count = args.steps * envs
    while True:
        wall, cpu = clocked(args.device, lambda: subject.play(count))
        yield {f"{envs} environments": (wall / count, cpu / count)}


def serve(pipe: Any, args: argparse.Namespace, measure: Callable[..., Any], *about: Any) -> None:
    """Measure in a process of one's own, once for each message."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for measured in measure(about[0], args, *about[1:]):
        pipe.send((measured, peak(args.device)))
        if not pipe.recv():
            return


def take_turns(
    args: argparse.Namespace, measure: Callable[..., Any], *about: Any
) -> list[dict[str, Any]]:
    """Measure all cases in turns; return a row for each."""
    context = multiprocessing.get_context("spawn")
    rows, pipes = [], []
    for case in args.cases:
        pipe, end = context.Pipe()
        given = (end, args, measure, case, *about)
        context.Process(target=serve, args=given, daemon=True).start()
        end.close()
        pipes.append(pipe)
        rows.append({"case": case, "parameters": pipe.recv()[0], "seconds": []})
    for _ in range(args.repeats):
        for row, pipe in zip(rows, pipes, strict=True):
            pipe.send(True)
            measured, row["peak_mb"] = pipe.recv()
            row["seconds"].append(measured)
    for pipe in pipes:
        pipe.send(False)
    return rows


def report(rows: list[dict[str, Any]], parts: tuple[str, ...], clock: int) -> None:
    """Print rates per second, their spread, and ratios to the first row."""
    rates = [_rates(row, parts, clock) for row in rows]
    for row, own in zip(rows, rates, strict=True):
        cells = [row["case"], f"{row['parameters'] / 1e6:.2f}", f"{row['peak_mb']:.0f}"]
        for part, (low, middle, high) in own.items():
            ratio = middle / rates[0][part][1]
            cells.append(f"{middle:.3g} ({low:.3g}-{high:.3g}), {ratio:.2f}x")
        print("|", " | ".join(cells), "|", flush=True)


def _rates(row: dict[str, Any], parts: tuple[str, ...], clock: int) -> dict[str, Any]:
    seconds = {part: [times[part][clock] for times in row["seconds"]] for part in parts}
    if len(parts) > 1:
        seconds["update"] = [sum(times) for times in zip(*seconds.values(), strict=True)]
    return {
        part: (1 / max(times), 1 / median(times), 1 / min(times)) for part, times in seconds.items()
    }


def check(args: argparse.Namespace) -> None:
    """Compare both with the same weights."""
    from dreamerv3_torch import Peer, compare, take_weights

    for size in args.sizes:
        torch.manual_seed(0)
        batch = sequences(*SIZES[size][:2], args.device)
        peer = Peer(args.peer, SIDE, ACTIONS, SIZES[size][2], args.device, fast=False)
        ours = Ours({}, size, 1, args.device)
        assert ours.parameters == peer.parameters, (ours.parameters, peer.parameters)
        take_weights(ours.model, peer)
        print(f"{size}: {ours.parameters:,} parameters in both; ours, theirs, difference")
        for name, (own, their) in compare(ours.model, peer, batch).items():
            print(f"  {name}: {own:.7g} {their:.7g} {abs(own - their) / abs(their):.1e}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="a checkout of the port")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument(
        "--ours", nargs="+", default=["plain"], metavar="KEY=VALUE,..", help="options to compare"
    )
    parser.add_argument(
        "--fast-peer", action="store_true", help="with its compile and precision 16"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2, help="updates that are not measured")
    parser.add_argument("--steps", type=int, default=100, help="of each environment; 0 for none")
    parser.add_argument("--envs", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--cpu-time", action="store_true", help="print seconds of the processors")
    parser.add_argument("--check", action="store_true", help="compare losses instead")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    args = parser.parse_args()
    if args.peer and not (args.peer / "dreamer.py").exists():
        parser.error(f"{args.peer} is no checkout of NM512/dreamerv3-torch: it has no dreamer.py")
    if args.check and not args.peer:
        parser.error("--check needs --peer FOLDER")
    own = ["ours" if options == "plain" else f"ours:{options}" for options in args.ours]
    args.cases = [*theirs(args), *own]
    return args


def theirs(args: argparse.Namespace) -> list[str]:
    if args.peer is None:
        print("no --peer: Dreamer alone")
        return []
    return ["peer", "peer:fast"] if args.fast_peer else ["peer"]


def versions() -> dict[str, Any]:
    found = {name: importlib.import_module(name).__version__ for name in ("torch", "numpy")}
    return {"python": sys.version.split()[0], "cpus": os.cpu_count(), **found}


def main() -> None:
    args = parse()
    if args.check:
        check(args)
        return
    rows = []
    for size in args.sizes:
        batch, steps, _ = SIZES[size]
        print(f"\n{size}, {batch} x {steps}: per second, median (least-most), of the first")
        titles = ("case", "params M", "peak MB", *PARTS, "update")
        print("|", " | ".join(titles), "|\n" + "|---" * len(titles) + "|")
        measured = take_turns(args, measure_updates, size)
        report(measured, PARTS, args.cpu_time)
        rows += [{"size": size, **row} for row in measured]
    # Steps cost what the networks cost: batches play no part.
    networks = [size for size in args.sizes if size != "paper" or "small" not in args.sizes]
    for size, envs in product(networks if args.steps else [], args.envs):
        print(f"\n{size}: steps per second with {envs} environments, of the first")
        measured = take_turns(args, measure_steps, size, envs)
        report(measured, (f"{envs} environments",), args.cpu_time)
        rows += [{"size": size, "envs": envs, **row} for row in measured]
    if args.out:
        told = {key: str(value) for key, value in vars(args).items() if key not in ("peer", "out")}
        args.out.write_text(
            json.dumps({"settings": told, "versions": versions(), "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
