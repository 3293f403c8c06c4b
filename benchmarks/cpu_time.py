"""The CPU time of running processes."""

from __future__ import annotations

import time

import psutil

CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the CPU time of a process, by a clock id made from its process id


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants, also of those that have ended; 0 if the process has."""
    try:
        process = psutil.Process(pid)
        return sum(map(_of_one, (process, *process.children(recursive=True))))
    except psutil.NoSuchProcess:
        return 0.0


def _of_one(process: psutil.Process) -> float:
    """Return the time of a process and of its children that have ended; 0 if it has ended itself."""
    try:
        times = process.cpu_times()
        own = time.clock_gettime((~process.pid << 3) | CPUCLOCK_SCHED)  # exact; `times` counts in steps of 10 ms
    except (psutil.NoSuchProcess, OSError):
        return 0.0
    return own + times.children_user + times.children_system
