"""Read headers and pixels of image files in child processes with limits.

A worker never decodes a client's file in its own process.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from configs.settings import MEGABYTE, Settings
from ovseg_core.errors import OvsegError
from ovseg_core.header import Header
from worker.image.decoder import PROGRAM, Decoder, Died

log = logging.getLogger(__name__)

# Seconds by the clock for each second of CPU time: other decoders, and the network, may need the same cores.
WALL_SECONDS_PER_CPU_SECOND = 10
# What a valid file needs in addition to the shared memory; the largest needs were measured (`python -m
# benchmarks.decoding`).
MEMORY_BYTES = 128 * MEGABYTE
MEMORY_BYTES_PER_FILE_BYTE = 4
MEMORY_BYTES_PER_PIXEL = 32


class Decoders:
    """As many children as images are in use at the same time. Up to `worker_concurrency` idle children are kept.

    Safe to use from several threads.
    """

    def __init__(self, settings: Settings, program: Sequence[str] = PROGRAM) -> None:
        self._settings, self._program = settings, program
        self._idle: deque[Decoder] = deque()
        # The thread that creates decoders must not end before this object does.
        self._creator = ThreadPoolExecutor(1, "decoders")

    def warm_up(self) -> int:
        """Start one child, so that the first job need not wait for the child's imports. Returns the child's pid."""
        self._idle.append(decoder := self._new())
        return decoder.pid

    def header(self, data: bytes, check: Callable[[], None]) -> Header:
        """Return the file's header. Raises what `header.read` and `decode` raise."""
        decoder, answer = self._ask("header", data, self._settings.max_image_pixels, check)
        self._release(decoder)
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in answer["header"].items()
        }
        return Header(**fields)

    def decode(self, data: bytes, pixel_count: int, check: Callable[[], None]) -> np.ndarray:
        """Return the RGB pixels of an image: (H, W, 3) uint8, read-only.

        `pixel_count` is the number of pixels in the image's header. The memory of the pixels is reused when the last
        view of the array is gone. `check` is called every fraction of a second, and may raise to interrupt.

        Raises:
            OvsegError: What `image.decode` raises; `image_too_costly` if the file takes more CPU time or memory than
                allowed.
            RuntimeError: Our own code failed, or the machine lacks memory.
            Exception: What `check` raises.
        """
        decoder, answer = self._ask("pixels", data, pixel_count, check)
        flat = decoder.pixels(answer["shape"])
        weakref.finalize(flat, self._release, decoder).atexit = False
        return flat.reshape(answer["shape"])

    def close(self) -> None:
        """Kill the idle children. Each of the others is killed when its image is released, or exits with us."""
        self._creator.shutdown()
        while self._idle:
            self._idle.pop().kill()

    def _ask(
        self, want: str, data: bytes, pixel_count: int, check: Callable[[], None]
    ) -> tuple[Decoder, dict[str, Any]]:
        settings = self._settings
        if len(data) > settings.max_image_bytes:  # a gateway with other settings accepted it
            message = f"the image has {len(data):,} bytes; at most {settings.max_image_bytes:,} are allowed"
            raise OvsegError("image_too_large", message, "image")
        memory = MEMORY_BYTES + MEMORY_BYTES_PER_FILE_BYTE * len(data) + MEMORY_BYTES_PER_PIXEL * pixel_count
        request = {
            "want": want,
            "max_pixels": settings.max_image_pixels,
            "cpu_seconds": math.ceil(settings.decode_seconds),
            "memory_bytes": memory,
        }
        decoder, answer = self._ask_twice(data, request, check)
        if "header" in answer or "shape" in answer:
            return decoder, answer
        self._release(decoder)
        if "error" in answer:
            raise OvsegError(*answer["error"])
        if "out_of_memory" in answer:
            raise _too_costly(f"{memory // MEGABYTE:,} MB of memory")
        raise RuntimeError(f"a decoder broke:\n{answer['broke']}")

    def _ask_twice(
        self, data: bytes, request: dict[str, Any], check: Callable[[], None]
    ) -> tuple[Decoder, dict[str, Any]]:
        """Ask a child, and if it dies, a new child: it may have been killed for a reason other than the file.

        Raises RuntimeError if both were killed: there may be enough memory on another machine, or later.
        """
        cpu_seconds = self._settings.decode_seconds
        wall_seconds = cpu_seconds * WALL_SECONDS_PER_CPU_SECOND
        killed = 0
        for get_decoder in (self._idle_or_new, self._new):
            decoder = get_decoder()
            try:
                return decoder, decoder.ask(data, request, wall_seconds, check)
            except TimeoutError:
                raise _too_costly(f"{wall_seconds:g} s") from None
            except Died as died:
                if died.is_of_cpu_time:
                    raise _too_costly(f"{cpu_seconds:g} s of CPU time") from None
                killed += died.is_from_outside
                log.warning("a decoder %s while it decoded an image of %d bytes", died, len(data))
            check()
        if killed == 2:
            raise RuntimeError("two decoders were killed while they decoded an image; is this machine out of memory?")
        raise OvsegError("image_unreadable", "the image cannot be decoded: two decoders crashed", "image")

    def _idle_or_new(self) -> Decoder:
        while self._idle:
            try:
                decoder = self._idle.pop()  # the last used decoder: its memory is in the caches
            except IndexError:  # another thread was faster
                break
            if decoder.is_alive:
                return decoder
            decoder.kill()
        return self._new()

    def _new(self) -> Decoder:
        settings = self._settings
        start = self._creator.submit(Decoder, settings.max_image_bytes, settings.max_image_pixels, self._program)
        return start.result()

    def _release(self, decoder: Decoder) -> None:
        """Return a child to the idle ones, or kill it.

        This takes no lock: the garbage collector may call it in any thread, also in a thread that is inside this class.
        """
        if len(self._idle) < self._settings.worker_concurrency and decoder.is_alive:
            decoder.shrink()
            self._idle.append(decoder)
        else:
            decoder.kill()


def _too_costly(what: str) -> OvsegError:
    message = f"the image takes more than {what} to decode; a baseline JPEG or a plain PNG of the same size takes less"
    return OvsegError("image_too_costly", message, "image")
