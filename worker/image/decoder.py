"""A child process that reads one image file at a time, as its parent sees it."""

from __future__ import annotations

import json
import math
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from worker.image.decoding_child import MESSAGE_BYTES

PROGRAM = ("-m", "worker.image.decoding_child")
LOOK_SECONDS = 0.25  # between two looks whether the job should still go on; each asks Redis
ENDING_SECONDS = 5.0  # to free its memory, and to be gone
START_SECONDS = 60.0  # a cold disk, a busy machine
# What stays of the shared memory between two files: most files, and the pixels of 12 megapixels. Fresh pages of shared
# memory are slow: they would make decoding a JPEG of that size 65 % dearer.
KEPT_FILE_BYTES, KEPT_PIXEL_BYTES = 8 << 20, 36 << 20
# The child reads what strangers send, so it gets no credentials and little else.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "LANG", "TZ")
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # each maps memory


class Died(Exception):
    """The child ended in the middle of a file; the message says how."""

    def __init__(self, exit_code: int) -> None:
        how = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with code {exit_code}"
        super().__init__(how)
        self.is_of_cpu_time = exit_code == -signal.SIGXCPU
        self.is_from_outside = exit_code == -signal.SIGKILL  # where memory runs out the kernel sends it; no crash does


class Decoder:
    """Must be created by a thread that lives as long as the process: the kernel kills the child when that thread ends.

    The file goes to the child, and the pixels come back, in memory that both have mapped for the child's whole life.
    It has room for the largest file and picture, and takes real memory only where it was written to.
    """

    def __init__(self, max_file_bytes: int, max_pixels: int, program: Sequence[str] = PROGRAM) -> None:
        self._file_room = math.ceil(max_file_bytes / mmap.PAGESIZE) * mmap.PAGESIZE
        self._is_ready = False
        memory = os.memfd_create("ovseg-decoder")
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            os.ftruncate(memory, self._file_room + 3 * max_pixels)
            self._memory = mmap.mmap(memory, 0)
            numbers = (theirs.fileno(), memory, self._file_room, os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-P", *program, *map(str, numbers)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=numbers[:2],
                start_new_session=True,  # a Ctrl-C is for the worker, which finishes its jobs
            )
        finally:
            theirs.close()
            os.close(memory)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(
        self, data: bytes, request: dict[str, Any], wall_seconds: float, check: Callable[[], None]
    ) -> dict[str, Any]:
        """The child's answer about a file. `check` is called every fraction of a second while it works.

        Raises what `check` raises, Died, TimeoutError after `wall_seconds`, and RuntimeError for a child that does not
        start. After any of them the child is dead.
        """
        is_answered = False
        try:
            self._await_start(check)
            self._memory[: len(data)] = data
            self._send(request | {"file_bytes": len(data)})
            answer = self._receive(wall_seconds, check)
            is_answered = True
            return answer
        finally:
            if not is_answered:
                self.kill()

    def pixels(self, shape: Sequence[int]) -> np.ndarray:
        """The picture of the last answer, flat, uint8, read-only; it changes when the child is given another file."""
        flat = np.frombuffer(self._memory, np.uint8, math.prod(shape), self._file_room)
        flat.flags.writeable = False
        return flat

    def shrink(self) -> None:
        """Give back the memory that a large file or picture took."""
        for start, end in ((KEPT_FILE_BYTES, self._file_room), (self._file_room + KEPT_PIXEL_BYTES, len(self._memory))):
            if start < end:
                self._memory.madvise(mmap.MADV_REMOVE, start, end - start)

    def kill(self) -> None:
        """Safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def _await_start(self, check: Callable[[], None]) -> None:
        if not self._is_ready:
            try:
                self._receive(START_SECONDS, check)
            except (Died, TimeoutError) as error:
                raise RuntimeError(f"a decoder did not start, see the lines above: {error}") from error
            self._is_ready = True

    def _send(self, request: dict[str, Any]) -> None:
        try:
            self._channel.send(json.dumps(request).encode())
        except OSError:
            raise Died(self._exit_code()) from None

    def _receive(self, seconds: float, check: Callable[[], None]) -> dict[str, Any]:
        """The child's next message. Raises Died, TimeoutError and what `check` raises."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while not poll.poll(LOOK_SECONDS * 1000):
            check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer after {seconds:g} s")
        try:
            message = self._channel.recv(MESSAGE_BYTES)
        except OSError:  # killed before it had read what we sent
            message = b""
        if not message:
            raise Died(self._exit_code())
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _exit_code(self) -> int:
        """Of a child that closed its socket: it is about to end, or something is wrong with it, and it is killed."""
        try:
            return self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    folders = [folder or "." for folder in sys.path]  # what we import, the child can import
    return {**kept, **FEW_THREADS, "PYTHONPATH": os.pathsep.join(folders)}
