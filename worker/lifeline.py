"""A child that does not outlive its parent, however that dies."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)
# Loaded here: between fork and exec nothing may be loaded.
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """To be called in the child: the kernel shall kill it when its parent dies, even by kill -9. Linux only."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
