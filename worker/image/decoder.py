"""A child process that decodes one image file at a time, from its parent's side."""

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
LOOK_SECONDS = 0.25  # between two checks whether the job should continue; each asks Redis
ENDING_SECONDS = 5.0  # for the child to free its memory and exit
START_SECONDS = 60.0  # on a cold disk or a busy machine
# How much shared memory is kept between two files: enough for most files, and for the pixels of 12 megapixels. New
# pages of shared memory are slow: they make decoding a JPEG of that size take 65 % longer.
KEPT_FILE_BYTES, KEPT_PIXEL_BYTES = 8 << 20, 36 << 20
# The child reads files from strangers, so it gets no credentials and few variables.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "LANG", "TZ")
# each thread or arena maps memory
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Died(Exception):
    """The child exited while it decoded a file; the message says how."""

    def __init__(self, exit_code: int) -> None:
        how = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"exited with code {exit_code}"
        super().__init__(how)
        self.is_of_cpu_time = exit_code == -signal.SIGXCPU
        # the kernel sends SIGKILL when memory runs out; no crash does
        self.is_from_outside = exit_code == -signal.SIGKILL


class Decoder:
    """A child process and the memory that it shares with us.

    The thread that creates it must live as long as our process: the kernel kills the child when that thread ends. The
    file goes to the child, and the pixels come back, in memory that both processes map for the child's whole life. It
    has room for the largest file and image, and uses real memory only where something was written.
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
                start_new_session=True,  # only the worker receives a Ctrl-C, and finishes its jobs
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
        """Send a file to the child and return its answer. `check` is called every fraction of a second while the child
        works.

        Raises what `check` raises, Died, TimeoutError after `wall_seconds`, and RuntimeError if the child does not
        start. After any of these the child is dead.
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
        """Return the pixels of the last answer: flat, uint8, read-only.

        They change when the child gets another file.
        """
        flat = np.frombuffer(self._memory, np.uint8, math.prod(shape), self._file_room)
        flat.flags.writeable = False
        return flat

    def shrink(self) -> None:
        """Return the memory that a large file or image used to the system."""
        for start, end in ((KEPT_FILE_BYTES, self._file_room), (self._file_room + KEPT_PIXEL_BYTES, len(self._memory))):
            if start < end:
                self._memory.madvise(mmap.MADV_REMOVE, start, end - start)

    def kill(self) -> None:
        """Kill the child. It is safe to call this twice."""
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
        """Return the child's next message. Raises Died, TimeoutError and what `check` raises."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while not poll.poll(LOOK_SECONDS * 1000):
            check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer after {seconds:g} s")
        try:
            message = self._channel.recv(MESSAGE_BYTES)
        except OSError:  # the child was killed before it read our message
            message = b""
        if not message:
            raise Died(self._exit_code())
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _exit_code(self) -> int:
        """Return the exit code of a child that closed its socket. If it does not exit by itself, something is wrong:
        kill it.
        """
        try:
            return self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    folders = [folder or "." for folder in sys.path]  # the child can import what we can import
    return {**kept, **FEW_THREADS, "PYTHONPATH": os.pathsep.join(folders)}
