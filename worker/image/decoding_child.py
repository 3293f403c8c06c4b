"""The program of a child process that decodes image files for a worker.

It limits what a client's file can cost: the kernel kills this process at its limit of CPU time and refuses it memory
beyond its limit, and the parent may kill it at any moment. It imports nothing heavy, so that a new one starts fast.
"""

from __future__ import annotations

import faulthandler
import json
import math
import mmap
import os
import re
import resource
import signal
import socket
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import AvifImagePlugin, Image

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from worker.lifeline import die_with_parent

MESSAGE_BYTES = 65_536
MAX_ERROR_CHARACTERS = 8_000  # of an error's text, which may quote the file; in JSON it fits into a message
# How decoders report that they were refused memory: libjpeg, libwebp and others in words, Pillow by a number.
OUT_OF_MEMORY = re.compile(r"memory|decoder error -9\b", re.IGNORECASE)
AVIF_THREADS = 2  # not one per core: each maps memory, and other jobs need cores too
OPEN_FILES = 32  # the socket, the memory, and the files that an import opens
OOM_SCORE = 500  # when the machine runs out of memory, the kernel should kill this process rather than the worker


def main() -> None:
    """Answer requests until the parent closes the socket.

    The arguments are the file descriptors of the socket and of the shared memory, how many bytes of that memory are for
    the file, and the parent's process id.
    """
    channel, memory, file_room, parent = (int(argument) for argument in sys.argv[1:])
    die_with_parent()
    if os.getppid() != parent:  # the parent died before die_with_parent took effect
        return
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # some supervisors send these to us too; the parent first finishes its jobs
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _raise_oom_score()
    Image.preinit()
    AvifImagePlugin.DEFAULT_MAX_THREADS = AVIF_THREADS
    with socket.socket(fileno=channel) as parent_socket, mmap.mmap(memory, 0) as shared:
        os.close(memory)
        parent_socket.send(b"{}")  # ready
        _let_decoders_write_nothing()
        while request := parent_socket.recv(MESSAGE_BYTES):
            parent_socket.send(json.dumps(_answer(json.loads(request), shared, file_room)).encode())


def _answer(request: dict[str, Any], shared: mmap.mmap, file_room: int) -> dict[str, Any]:
    """Return the result for one file: its header, the shape of its pixels, the client's error, or our own error."""
    made: list[np.ndarray] = []

    def allocate(shape: tuple[int, ...], dtype: type) -> np.ndarray:
        made.append(np.frombuffer(shared, dtype, math.prod(shape), file_room).reshape(shape))
        return made[-1]

    try:
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + request["cpu_seconds"])
        _limit(resource.RLIMIT_AS, _address_space() + request["memory_bytes"])
        data = shared[: request["file_bytes"]]
        if request["want"] == "header":
            return {"header": asdict(header.read(data, request["max_pixels"]))}
        pixels = image.decode(data, request["max_pixels"], allocate)
        if len(made) != 1 or pixels is not made[0]:  # otherwise the parent would read the pixels of an earlier file
            raise RuntimeError("image.decode returned other pixels than those that it allocated")
        return {"shape": pixels.shape}
    except Exception as error:
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)  # describing an error takes memory too
        return _described(error)


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return {"out_of_memory": True}
    if isinstance(error, OvsegError):
        if error.code == "image_unreadable" and OUT_OF_MEMORY.search(error.message):
            return {"out_of_memory": True}
        return {"error": [error.code, error.message[:MAX_ERROR_CHARACTERS], error.field]}
    return {"broke": "".join(traceback.format_exception(error))[-MAX_ERROR_CHARACTERS:]}


def _limit(kind: int, value: int) -> None:
    """Set a soft limit, as far as the hard limit allows. A soft limit can be raised again."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY and (value > hard or value == resource.RLIM_INFINITY):
        value = hard
    resource.setrlimit(kind, (value, hard))


def _raise_oom_score() -> None:
    """Set this process's score to at least OOM_SCORE.

    Only root may lower a score, and some supervisors have already set the highest one, as Kubernetes does for a pod
    without requests.
    """
    score = Path("/proc/self/oom_score_adj")
    if int(score.read_text()) < OOM_SCORE:
        score.write_text(str(OOM_SCORE))


def _address_space() -> int:
    """Return how many bytes this process has mapped, which RLIMIT_AS limits."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


def _let_decoders_write_nothing() -> None:
    """Silence stderr, the worker's log: libraries may print text from a file to it. A crash is still reported there."""
    faulthandler.enable(os.dup(sys.stderr.fileno()))
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), sys.stderr.fileno())


if __name__ == "__main__":
    main()
