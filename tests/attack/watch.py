"""The processes of the service, and the memory that they use."""

from __future__ import annotations

import threading
from collections import defaultdict

import psutil

MEGABYTE = 1_000_000
LOOK_SECONDS = 0.5


class Watch:
    """Measures the descendants of a process until it is closed.

    `peak` and `now` are megabytes by role. Memory that processes share is divided between them (PSS).
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peak: dict[str, float] = defaultdict(float)
        self.now: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS) and self._root.is_running():
            self.now = self._look()
            for role, megabytes in self.now.items():
                self.peak[role] = max(self.peak[role], megabytes)

    def _look(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for child in self._root.children():
            try:
                family = [child, *child.children(recursive=True)]
                found[_role(child)] += sum(one.memory_full_info().pss for one in family) / MEGABYTE
            except psutil.Error:  # it exited in the meantime
                continue
        return found


def _role(process: psutil.Process) -> str:
    """Return the word after `-m ovseg` for the service's own processes, the program's name for others."""
    words = process.cmdline()
    return words[words.index("ovseg") + 1] if "ovseg" in words else process.name()
