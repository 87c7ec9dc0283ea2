"""What this process has used by now."""

import ctypes
import gc
from pathlib import Path
import resource
import sys
import time
from typing import Any


def usage() -> dict[str, Any]:
    """Return seconds of processor time and of the clock, and bytes of memory, garbage not counted."""
    cpu, at = time.process_time(), time.perf_counter()
    gc.collect()
    _give_back()
    return {"cpu": cpu, "at": at, "memory": _memory()}


def _give_back() -> None:
    """Have the C library return what is free to the system, where it can."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _memory() -> int:
    """Return the bytes of memory that are in use; where nobody tells, the most that ever were."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()
