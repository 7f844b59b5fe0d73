"""`doctor`: is everything here that rendering and training need, and what to type if not."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from typing import NamedTuple

PACKAGES = (
    *("distraction-gym", "gymnasium", "numpy", "opencv-python", "dm_control", "mujoco", "shimmy"),
    *("torch", "stable-baselines3", "triton", "matplotlib", "rl-zoo3"),
)
BACKENDS = ("egl", "osmesa", "glfw")
PROBE_SECONDS = 120
# soname -> Debian and Ubuntu's package. opencv-python needs these at import.
LIBRARIES = {"libGL.so.1": "libgl1", "libxcb.so.1": "libxcb1", "libglib-2.0.so.0": "libglib2.0-0"}
# Rendering needs one of these two.
RENDERERS = {"libEGL.so.1": "MUJOCO_GL=egl", "libOSMesa.so.8": "MUJOCO_GL=osmesa"}
APT = "sudo apt-get install -y"


class Probe(NamedTuple):
    """What one backend did."""

    backend: str
    ms: float | None
    """Milliseconds per frame; None if it does not work."""
    message: str


def doctor() -> int:
    """Print the examination; return 1 if the simulators are installed and no backend works."""
    print(f"Python {platform.python_version()} on {platform.platform()}")
    _print_packages()
    _print_libraries()
    if importlib.util.find_spec("dm_control") is None:
        print("\nNo dm_control: only the mini suite, which needs no renderer, can run.")
        print("  pip install 'distraction-gym[dmc]'")
        return 0
    _print_triton()
    return _print_backends([probe_backend(name) for name in BACKENDS])


def probe_backend(backend: str) -> Probe:
    """Render in a child process, so that a crash of the driver is a message and no more."""
    env = {**os.environ, "MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend}
    if backend == "glfw":
        del env["PYOPENGL_PLATFORM"]
    command = [sys.executable, "-m", "distraction_gym.cli.probe"]
    try:
        # mujoco writes a log of its failures into the working directory.
        with tempfile.TemporaryDirectory() as folder:
            child = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=PROBE_SECONDS, cwd=folder
            )
    except subprocess.TimeoutExpired:
        return Probe(backend, None, f"no frame after {PROBE_SECONDS} s")
    if child.returncode < 0:
        return Probe(backend, None, f"the process died of signal {-child.returncode}")
    if child.returncode > 0:
        lines = child.stderr.strip().splitlines() or [f"exit status {child.returncode}"]
        return Probe(backend, None, lines[-1])
    result = json.loads(child.stdout.splitlines()[-1])
    if result["blank"]:
        return Probe(backend, None, f"draws nothing but one colour ({result['renderer']})")
    return Probe(backend, float(result["ms"]), result["renderer"])


def _print_packages() -> None:
    print("\nPackages")
    for name in PACKAGES:
        print(f"  {name:20} {_version(name) or 'not installed'}")
    if _version("opencv-python") and _version("opencv-python-headless"):
        print("  opencv-python-headless overwrites files of opencv-python. Type:")
        print("    pip uninstall -y opencv-python-headless opencv-python")
        print("    pip install opencv-python")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _print_libraries() -> None:
    print("\nSystem libraries")
    missing = [name for name in LIBRARIES if not _loads(name)]
    for name in LIBRARIES:
        print(f"  {name:20} {'missing' if name in missing else 'found'}")
    for name, backend in RENDERERS.items():
        print(f"  {name:20} {'found' if _loads(name) else 'missing'} (only for {backend})")
    if missing:
        print("opencv-python does not import without what is missing. Debian and Ubuntu:")
        print(f"  {APT} {' '.join(LIBRARIES[name] for name in missing)}")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _print_triton() -> None:
    if importlib.util.find_spec("triton") is None:
        return
    print("\ntriton is installed. With software GL, importing it after the first rendering ends")
    print("  the process, and torch imports it when it makes an optimiser. This package takes")
    print("  care of it; a script that renders without it should `import triton` at its top.")


def _print_backends(probes: list[Probe]) -> int:
    print("\nRendering (walker, 84 x 84)")
    for probe in probes:
        speed = "does not work" if probe.ms is None else f"{probe.ms:.1f} ms a frame"
        print(f"  MUJOCO_GL={probe.backend:8} {speed}: {probe.message}")
    working = [probe for probe in probes if probe.ms is not None]
    if not working:
        print("\nNo backend works: the mini suite runs, nothing that renders does. Type:")
        print(f"  {APT} libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri && distraction-gym doctor")
        return 1
    best = min(working, key=lambda probe: probe.ms or 0.0)
    print(f"\nType:  export MUJOCO_GL={best.backend}")
    return 0
