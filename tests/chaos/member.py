"""One process of the stack, to be killed, frozen and started again by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.lifeline import die_with_parent


class Member:
    """A command. It dies with the thread that started it, so one thread starts them all; its lines go to `log`."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = list(arguments)
        self._environment = {**os.environ, **environment}
        self._is_frozen = False
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None and not self._is_frozen

    def start(self) -> None:
        self._started_at, self._down_until = time.monotonic(), 0.0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def look_after(self) -> None:
        """Start it again if it fell and should not stay down; not more often than every second."""
        may_start_at = max(self._down_until, self._started_at + 1)
        if self._process.poll() is not None and time.monotonic() >= may_start_at:
            self.start()

    def kill(self, down_seconds: float = 0.0) -> int:
        """SIGKILL; nobody starts it again for so long. Returns the id of the process that it was."""
        self._process.kill()  # a frozen process dies of it too
        self._process.wait()
        self._is_frozen = False
        self._down_until = time.monotonic() + down_seconds
        return self.pid

    def freeze(self) -> None:
        self._is_frozen = True
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._is_frozen = False
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, and nobody starts it again."""
        self._down_until = float("inf")
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """The exit code of a process that was asked to end."""
        return self._process.wait(seconds)

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()
