"""A worker's CPU affinity: each keeps to its own cores, so that several share a machine undisturbed."""

from __future__ import annotations

import os
from collections.abc import Sequence


def limit_to(cores: Sequence[int]) -> None:
    """Run this process and all its later threads on these cores. Call it before any network is loaded.

    Raises ValueError if this machine, or this container, lacks one of the cores.
    """
    if missing := set(cores) - os.sched_getaffinity(0):
        available = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ValueError(f"there is no core {min(missing)} here; there are {available}")
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))  # Paddle and NumPy ask for it, not for the cores they may use
