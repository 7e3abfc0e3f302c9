"""Memory that a training frees is kept for the next step instead of being given back to the system."""

import ctypes
import sys

TRIM_THRESHOLD = 1 << 30
"""Bytes free at the top of the heap before any are given back."""
MMAP_THRESHOLD = 32 << 20
"""Bytes; the largest that glibc takes. Larger pieces are still mapped one by one."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of mallopt(3)."""


def keep_freed_memory() -> bool:
    """Tell glibc's malloc not to return freed memory; whether it took that.

    Activations are freed and asked for again thousands of times, and each time the system hands out zeroed
    pages: docs/benchmarks.md has what that cost. Elsewhere than under glibc nothing is changed.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl has neither this name nor the function
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)) and bool(mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD))
