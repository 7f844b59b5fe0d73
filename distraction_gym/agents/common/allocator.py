"""Memory for large tensors on a CPU, kept from one update to the next."""

from __future__ import annotations

import ctypes
import functools
import os
import platform

# glibc's malloc.h: how many allocations may be mappings of their own; when to shrink the heap.
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1
_LARGEST = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees, for the next tensor of that size.

    By default large blocks go back to the system at once, and each operation of an update pays
    anew for fresh pages: a third of MaDi's update. The process then holds on to its peak.

    Returns:
        Whether it was set: only with glibc, and not where `MALLOC_*` variables say otherwise.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, _LARGEST))
