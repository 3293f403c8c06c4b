"""The CPU cores that a worker keeps to, so that several share a machine without getting in each other's way."""

from __future__ import annotations

import os
from collections.abc import Sequence


def keep_to(cores: Sequence[int]) -> None:
    """This process and all its threads to come, those of networks too. Before any of them is loaded.

    Raises ValueError where this machine, or this container, has not these cores.
    """
    if missing := set(cores) - os.sched_getaffinity(0):
        available = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ValueError(f"there is no core {min(missing)} here; there are {available}")
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))  # Paddle and NumPy ask for it, not for the cores they may use
