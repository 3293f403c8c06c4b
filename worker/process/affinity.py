"""A worker's CPU affinity. Workers that share a machine do not slow each other down if each has its own cores."""

from __future__ import annotations

import os
from collections.abc import Sequence


def limit_to(cores: Sequence[int]) -> None:
    """Run this process and all threads that it starts later on these cores only. Call it before loading any network.

    Raises ValueError if this machine or container lacks one of the cores.
    """
    if missing := set(cores) - os.sched_getaffinity(0):
        available = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ValueError(f"there is no core {min(missing)} here; the available cores are {available}")
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))  # Paddle and NumPy read this variable, not the affinity
