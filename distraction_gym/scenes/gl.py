"""OpenGL without a screen: which backend to use, and contexts that leave things as they were."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distraction_gym.errors import RenderingUnavailable, require

_ADVICE = "To see what works here and what to type, run:  distraction-gym doctor"
_LIBRARIES = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8"}
_DRIVERS = ("libLLVM", "libgallium", "swrast_dri")  # of Mesa, as they appear in the memory map
_first_process: int | None = None


def load_mujoco() -> Any:
    """Import mujoco with a backend chosen and the process made safe for torch's optimisers.

    Sets MUJOCO_GL, unless the user has: mujoco and dm_control read it when they are imported.

    Raises:
        MissingExtra: if mujoco is not installed.
    """
    import_triton()
    if "MUJOCO_GL" not in os.environ:
        name = choose_backend()
        if name:
            os.environ["MUJOCO_GL"] = name
    return require("mujoco", "dmc")


def import_triton() -> None:
    """Import triton, if it is installed, in a way that cannot end the process.

    Mesa's software renderer and triton each bring a copy of LLVM. Once a GL context exists,
    importing triton, as `torch.optim.Adam(...)` does, is a segmentation fault. Imported first it
    does no harm; imported late it must bind to its own copy.
    """
    if "triton" in sys.modules or importlib.util.find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    if _driver_is_loaded():
        sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        with contextlib.suppress(ImportError):  # broken here: torch will say so when it needs it
            importlib.import_module("triton")
    finally:
        sys.setdlopenflags(flags)


def choose_backend() -> str | None:
    """Return `"egl"` if it has a device, else `"osmesa"` if installed, else None (mujoco's own)."""
    if _egl_devices() > 0:
        return "egl"
    return "osmesa" if _library("osmesa") else None


def make_context(height: int, width: int) -> Any:
    """Return a GL context of mujoco's (`make_current`, `free`) for pictures of this size.

    Raises:
        RenderingUnavailable: if there is no working backend, or if the process was forked from one
            that had drawn (the driver's threads do not survive a fork: drawing would hang).
    """
    global _first_process
    _refuse_forks()
    name = os.environ.get("MUJOCO_GL", "")
    try:
        with _undisturbed():
            module = "mujoco" if name not in ("egl", "osmesa", "glfw") else f"mujoco.{name}"
            context = importlib.import_module(module).GLContext(width, height)
            context.make_current()
    except Exception as error:  # drivers and PyOpenGL raise whatever they like
        raise RenderingUnavailable(
            f"no OpenGL context with MUJOCO_GL={name or '(not set)'}: {error}. {_ADVICE}"
        ) from error
    if _first_process is None and name == "egl":
        # At exit mujoco would shut EGL down under contexts that others, such as dm_control, still
        # hold and free later, noisily. It goes with the process anyway.
        atexit.unregister(importlib.import_module("mujoco.egl.egl_ext").eglTerminate)
    _first_process = os.getpid()
    return context


class SharedContext:
    """The process's one GL context, for everybody who draws: a context of its own costs 10 MB each.

    One thread at a time draws in it; the others wait.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._users = 0
        self._lock = threading.RLock()

    def take(self, height: int, width: int) -> None:
        """Make the context, unless somebody has; every `take` needs one `release`.

        Raises:
            RenderingUnavailable: as `make_context`.
        """
        with self._lock:
            _refuse_forks()
            if self._context is None:
                self._context = make_context(height, width)
            self._users += 1

    def release(self) -> None:
        """Free the context once nobody uses it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            with _undisturbed():
                self._context.free()
            self._context = None

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Make the context current, and afterwards the one that was (or none).

        Raises:
            RenderingUnavailable: in a process forked from one that had drawn.
        """
        _refuse_forks()
        with self._lock, _undisturbed(), _uncollected():
            self._context.make_current()
            yield


shared = SharedContext()


def is_forked() -> bool:
    """Return whether this process was forked from one that had drawn: the driver is dead here."""
    return _first_process not in (None, os.getpid())


def _refuse_forks() -> None:
    if is_forked():
        raise RenderingUnavailable(
            "this process was forked from one that had already rendered, and the driver's threads "
            "did not follow it. Type:  gym.make_vec(..., vectorization_mode='async', "
            "vector_kwargs={'context': 'spawn'})"
        )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the garbage collector off.

    Gymnasium leaves its viewers' `MjrContext` to it, which frees textures and lists by their
    numbers, in whichever context is current: ours would go with them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave the current context as it was.

    dm_control and Gymnasium's viewers each believe that their own stays current, and a context
    left current in one thread cannot be used in another.
    """
    if os.environ.get("MUJOCO_GL") != "egl":
        yield
        return
    from mujoco.egl import egl_ext as egl

    before = egl.eglGetCurrentContext()
    if before:
        display = egl.eglGetCurrentDisplay()
        surfaces = [egl.eglGetCurrentSurface(kind) for kind in (egl.EGL_DRAW, egl.EGL_READ)]
    try:
        yield
    finally:
        if before:
            egl.eglMakeCurrent(display, *surfaces, before)
        elif egl.eglGetCurrentContext():
            nothing = (egl.EGL_NO_SURFACE, egl.EGL_NO_SURFACE, egl.EGL_NO_CONTEXT)
            egl.eglMakeCurrent(egl.eglGetCurrentDisplay(), *nothing)


def _library(backend: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(_LIBRARIES[backend])
    except OSError:
        return None


def _egl_devices() -> int:
    """Count EGL's devices without making a display, which would start the driver's threads."""
    library = _library("egl")
    if library is None:
        return 0
    library.eglGetProcAddress.restype = ctypes.c_void_p
    address = library.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return 0
    found = ctypes.c_int(0)
    signature = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    )
    return found.value if signature(address)(0, None, ctypes.byref(found)) else 0


def _driver_is_loaded() -> bool:
    maps = Path("/proc/self/maps")
    return maps.exists() and any(driver in maps.read_text() for driver in _DRIVERS)
