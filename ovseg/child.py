"""A process that the stack runs.

It is killed when our process dies, its output appears on our terminal, and it is restarted if it exits.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.lifeline import die_with_parent

# A process that ran for this long started correctly, so that its exit counts as the first failure.
HEALTHY_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0


def _any_line(_: str) -> bool:
    return True


@dataclass(frozen=True)
class Command:
    """A command to run: its label, its arguments, and the variables that are added to our environment.

    `is_shown` decides which lines of its output are shown. `folder` is its working directory and `umask` its file mode
    mask; both are inherited if not given.
    """

    label: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_shown: Callable[[str], bool] = _any_line
    folder: Path | None = None
    umask: int = -1


class Child:
    """A running command."""

    def __init__(self, command: Command, show: Callable[[str, str], None]) -> None:
        self.command = command
        self._show = show
        self.falls = 0  # exits in a row, each after less than HEALTHY_SECONDS
        self._start_again_at: float | None = None
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def look_after(self) -> None:
        """Restart the process if it exited: immediately the first time, then after growing pauses."""
        now = time.monotonic()
        if self._start_again_at is not None:
            if now >= self._start_again_at:
                self._start()
            return
        code = self._process.poll()
        if code is None:
            return
        self.falls = 1 if now - self._started_at > HEALTHY_SECONDS else self.falls + 1
        pause = min(2.0 ** (self.falls - 1) - 1, LONGEST_PAUSE_SECONDS)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        self._show("ovseg", f"{self.command.label} {how}; restarting it" + (f" in {pause:g} s" if pause else ""))
        self._start_again_at = now + pause

    def ask_to_end(self) -> None:
        self._start_again_at = None
        if self._process.poll() is None:
            self._process.terminate()

    def end_by(self, deadline: float) -> None:
        """Wait until the process has exited, and kill it at the deadline (in time.monotonic's seconds)."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._show("ovseg", f"{self.command.label} does not stop; killing it")
            self._process.kill()
            self._process.wait()
        self._reader.join(1)

    def _start(self) -> None:
        self._start_again_at = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self.command.arguments,
            env={**os.environ, **self.command.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.command.folder,
            umask=self.command.umask,
            start_new_session=True,  # only we receive a Ctrl-C; we stop the other processes in order
            preexec_fn=die_with_parent,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if self.command.is_shown(line):
                    self._show(self.command.label, line.rstrip())
