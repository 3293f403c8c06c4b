"""One process of the stack, which can be killed, frozen and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.lifeline import die_with_parent


class Member:
    """A command. It is killed when the thread that started it ends, so one thread starts all of them. Its output is
    `log`.
    """

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
        """Restart the process if it exited and should not stay down, at most once a second."""
        may_start_at = max(self._down_until, self._started_at + 1)
        if self._process.poll() is not None and time.monotonic() >= may_start_at:
            self.start()

    def kill(self, down_seconds: float = 0.0) -> int:
        """Kill the process, and do not restart it for this time. Returns the id that it had."""
        self._process.kill()  # this kills a frozen process too
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
        """Send SIGTERM, and do not restart the process."""
        self._down_until = float("inf")
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Return the exit code of a process that was asked to stop."""
        return self._process.wait(seconds)

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()
