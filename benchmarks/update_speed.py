"""Updates per second, peak memory and parameters of every agent, beside peers.

    python benchmarks/update_speed.py --agents svea madi --batch 32 128
    python benchmarks/update_speed.py --agents madi madi:precision=bfloat16 --device cuda
    python benchmarks/update_speed.py --agents svea:augment=random_conv --beside peers.py
    python benchmarks/update_speed.py --replay

Networks and hyperparameters are those of the papers on 9x84x84 pictures and 6 actions (each
agent's preset for `dmcgb-walker_walk`); a case is an agent's name, and after a colon arguments to
change, with commas between them. The pictures in the replay buffer are generated, and went in
through the agent's own loop. One measurement is `--updates` updates with everything that `train`
does: sampling, augmentation, critic, actor, entropy coefficient, target, auxiliary losses. An even
number of them means that what happens every second update counts half.

Every case is a process of its own, so that its peak memory is its own; those of one agent and
batch size live at the same time and take turns, so that a busy machine slows all of them.

`--beside` names a Python file with a function `cases()` that returns `{"agent@name": make}`:
other packages' agents, each measured in turns with that agent of ours. `make(batch)` returns an
object with `parameters` (a count) and `update()` (one update).

`--replay` measures the memory of replay buffers instead.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

from distraction_gym.agents import AGENTS
from distraction_gym.agents.common.presets import RUN_KEYS, load_preset
from distraction_gym.assets.pictures import pictures

ENV_ID = "distraction_gym/dmcgb-walker_walk-clean-v0"
OWN = {"pieg": {"backbone": "random"}, "trms": {"segmenter": "superpixel"}}
"""What a case needs beside its preset. Random weights cost as much as trained ones, and no update
asks the segmenter."""
WORLD_MODELS = ("dreamer", "sd", "repo", "dreamerpro", "tia", "tdmpc2")
"""Not measured here: `world_model_speed.py`."""
TRANSITIONS = 400
"""In the buffer while updates are measured; 100,000 cost an update the same."""
SCALED_TO = 100_000
"""Transitions that the memory of replay buffers is told for."""


class Pictures(gym.Env):
    """A stack of three generated pictures that moves on by one with each step."""

    action_space = spaces.Box(-1, 1, (6,), np.float32)

    def __init__(self, side: int = 84, length: int = TRANSITIONS) -> None:
        self.observation_space = spaces.Box(0, 255, (9, side, side), np.uint8)
        self.frames = pictures("generated", (side, side)).sample(500, np.random.default_rng(0))
        self.length = length

    def _stack(self) -> np.ndarray:
        return np.concatenate([self.frames[(self.now + back) % 500] for back in range(3)])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Start over."""
        super().reset(seed=seed)
        self.now = 0
        return self._stack(), {}

    def step(self, action: np.ndarray) -> Any:
        """Show the next picture, whatever the action."""
        self.now += 1
        return self._stack(), 1.0, False, self.now >= self.length, {}


class Subject(NamedTuple):
    """What a measuring process runs."""

    parameters: int
    update: Callable[[int], None]
    """Makes as many updates."""


def our_agent(case: str, batch: int, device: str) -> Subject:
    """Build one of our agents with a filled buffer."""
    name, _, changes = case.partition(":")
    module, _, cls = AGENTS[name].partition(":")
    preset = load_preset(name, ENV_ID)
    env = Pictures(preset.get("env_kwargs", {}).get("image_size", 84))
    options = {k: v for k, v in preset.items() if k not in RUN_KEYS} | OWN.get(name, {})
    options |= {"batch_size": batch, "buffer_size": TRANSITIONS, "learning_starts": TRANSITIONS}
    options |= {"catch_up_updates": 0, "seed": 0, "device": device, **arguments(changes)}
    model = getattr(importlib.import_module(module), cls)("CnnPolicy", env, **options)
    model.learn(TRANSITIONS)
    networks = [model.actor, model.critic, model.extras]
    weights = {p for network in networks for p in network.parameters()}
    count = sum(p.numel() for p in weights)
    return Subject(count, lambda updates: model.train(updates, batch))


def arguments(text: str) -> dict[str, Any]:
    """Read `key=value,key=value`; a value that is no JSON is a word."""
    read: dict[str, Any] = {}
    for item in filter(None, text.split(",")):
        key, _, value = item.partition("=")
        try:
            read[key] = json.loads(value)
        except json.JSONDecodeError:
            read[key] = value
    return read


def peer(path: Path, case: str, batch: int) -> Subject:
    """Build another package's agent."""
    other = runpy.run_path(str(path))["cases"]()[case](batch)

    def update(updates: int) -> None:
        for _ in range(updates):
            other.update()

    return Subject(other.parameters, update)


def serve(args: argparse.Namespace) -> None:
    """Measure one case: a line of input is a block, and so is a line of output."""
    torch.set_num_threads(args.threads)
    case, batch = args.serve, args.batch[0]
    subject = peer(args.beside, case, batch) if "@" in case else our_agent(case, batch, args.device)
    subject.update(args.updates)  # warms up
    answer({"parameters": subject.parameters, "peak_mb": peak(args.device)})
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        subject.update(args.updates)
        if args.device != "cpu":
            torch.cuda.synchronize()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        times = {"wall": wall / args.updates, "cpu": cpu / args.updates}
        answer({**times, "peak_mb": peak(args.device)})


def answer(numbers: dict[str, Any]) -> None:
    print("\nMEASURED", json.dumps(numbers), flush=True)


def peak(device: str) -> float:
    """Return the peak of this process's memory in MB: resident, or allocated on the GPU."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    # Not getrusage's ru_maxrss: that of a child begins with its parent's.
    return proc("VmHWM") / 1024


def proc(field: str) -> int:
    """Return a field of this process's status, in KiB."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0])


class Process:
    """A case in a process of its own."""

    def __init__(self, args: argparse.Namespace, case: str, batch: int) -> None:
        command = [sys.executable, __file__, "--serve", case, "--batch", str(batch)]
        command += ["--threads", str(args.threads), "--updates", str(args.updates)]
        command += ["--device", args.device]
        command += ["--beside", str(args.beside)] if args.beside else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.case = case
        self.process = subprocess.Popen(command, **pipes)
        self.blocks: list[dict[str, Any]] = []
        self.first = self._answer()

    def block(self) -> None:
        """Measure once."""
        print("go", file=self.process.stdin, flush=True)
        self.blocks.append(self._answer())

    def _answer(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith("MEASURED "):
                return json.loads(line.removeprefix("MEASURED "))
        raise ChildProcessError(f"{self.case} ended with exit code {self.process.wait()}")

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def row(self, batch: int) -> dict[str, Any]:
        """Return what was measured."""
        wall = [block["wall"] for block in self.blocks]
        return {
            "case": self.case,
            "batch": batch,
            "updates_per_second": 1 / median(wall),
            "best_updates_per_second": 1 / min(wall),
            "cpu_seconds": median(block["cpu"] for block in self.blocks),
            "seconds": wall,
            "peak_mb": max(block["peak_mb"] for block in [self.first, *self.blocks]),
            "parameters": self.first["parameters"],
        }


def agent_of(case: str) -> str:
    return case.replace("@", ":").split(":")[0]


def take_turns(args: argparse.Namespace, cases: list[str], batch: int) -> list[dict[str, Any]]:
    """Measure cases in turns; return a row for each."""
    processes = []
    try:
        for case in cases:
            processes.append(Process(args, case, batch))
        for _ in range(args.rounds):
            for process in processes:
                process.block()
    finally:
        for process in processes:
            process.close()
    return [process.row(batch) for process in processes]


def report(rows: list[dict[str, Any]]) -> None:
    """Print a table; ratios are to the first row of the same agent and batch size."""
    titles = ["case", "batch", "updates/s", "best", "of first", "of its best"]
    titles += ["CPU s", "peak MB", "params M"]
    print("|", " | ".join(titles), "|")
    print("|---" * len(titles) + "|")
    first: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        base = first.setdefault((agent_of(row["case"]), row["batch"]), row)
        rate, best = row["updates_per_second"], row["best_updates_per_second"]
        ratios = rate / base["updates_per_second"], best / base["best_updates_per_second"]
        print(
            f"| {row['case']} | {row['batch']} | {rate:.3g} | {best:.3g} | {ratios[0]:.2f} "
            f"| {ratios[1]:.2f} | {row['cpu_seconds']:.3g} | {row['peak_mb']:.0f} "
            f"| {row['parameters'] / 1e6:.2f} |"
        )


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure agent by agent, peers first: what ours is compared with."""
    peers = list(runpy.run_path(str(args.beside))["cases"]()) if args.beside else []
    rows = []
    for batch in args.batch:
        for agent in dict.fromkeys(map(agent_of, args.agents)):
            both = [case for case in [*peers, *args.agents] if agent_of(case) == agent]
            try:
                rows += take_turns(args, both, batch)
            except ChildProcessError as error:
                print(f"{error}: see above", file=sys.stderr)
    return rows


def buffer_memory(kind: str, transitions: int) -> float:
    """Return the resident bytes that a buffer grows by, per transition."""
    from stable_baselines3.common.buffers import ReplayBuffer

    from distraction_gym.agents.common.replay import FrameReplayBuffer

    env = Pictures(length=250)  # an episode of walker
    cls = {"FrameReplayBuffer": FrameReplayBuffer, "ReplayBuffer": ReplayBuffer}[kind]
    obs, _ = env.reset()
    before = proc("VmRSS")
    buffer = cls(transitions, env.observation_space, env.action_space, "cpu")
    for action in np.zeros((transitions, 1, 6), np.float32):
        following, reward, _, truncated, _ = env.step(action[0])
        infos = [{"TimeLimit.truncated": truncated}]
        done = np.array([truncated])
        buffer.add(obs[None], following[None], action, np.array([reward]), done, infos)
        obs = env.reset()[0] if truncated else following
    return 1024 * (proc("VmRSS") - before) / transitions


def measure_buffers(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each buffer in a process of its own, SB3's at a tenth of the size."""
    rows = []
    for kind, transitions in (("FrameReplayBuffer", SCALED_TO), ("ReplayBuffer", SCALED_TO // 10)):
        command = [sys.executable, __file__, "--buffer", kind, str(transitions)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        size = float(done.stdout.split()[-1])
        rows.append({"buffer": kind, "measured": transitions, "gb": size * SCALED_TO / 1e9})
        print(f"{kind}: {rows[-1]['gb']:.2f} GB for {SCALED_TO:,} (measured with {transitions:,})")
    return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    every = [name for name in AGENTS if name not in WORLD_MODELS]
    parser.add_argument("--agents", nargs="*", default=every, metavar="NAME[:KEY=VALUE,..]")
    parser.add_argument("--batch", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--updates", type=int, default=2, help="updates in a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, metavar="FILE", help="peers: see above")
    parser.add_argument("--replay", action="store_true", help="measure replay buffers instead")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--buffer", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def versions() -> dict[str, Any]:
    names: Iterable[str] = ("torch", "stable_baselines3", "numpy")
    found = {name: importlib.import_module(name).__version__ for name in names}
    return {"python": sys.version.split()[0], "cpus": os.cpu_count(), **found}


def main() -> None:
    args = parse()
    if args.serve:
        serve(args)
        return
    if args.buffer:
        print(buffer_memory(args.buffer[0], int(args.buffer[1])))
        return
    rows = measure_buffers(args) if args.replay else measure(args)
    if not args.replay:
        report(rows)
    if args.out:
        skipped = ("out", "serve", "buffer", "beside")
        settings = {key: value for key, value in vars(args).items() if key not in skipped}
        kept = {"settings": settings, "versions": versions(), "rows": rows}
        args.out.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
