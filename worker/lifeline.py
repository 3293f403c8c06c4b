"""End a child process when its parent dies, however the parent dies."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)
# Loaded at import: nothing may be loaded between fork and exec.
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies, even by kill -9. Call it in the child. Linux only."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
