"""Processes by their ids, from /proc."""

from __future__ import annotations

import contextlib
from pathlib import Path


def children(parent: int) -> set[int]:
    """Return the living children of a process."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                found.add(int(stat.parent.name))
    return found


def is_gone(pid: int) -> bool:
    """True if the process has exited, or is a zombie because no process waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
