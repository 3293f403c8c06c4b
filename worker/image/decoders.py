"""Image files to headers and pixels, in child processes with limits: a worker decodes no stranger's file itself."""

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

# Time on the clock for each second of CPU time: other decoders, and the network, may want the same cores.
WALL_SECONDS_PER_CPU_SECOND = 10
# What a sound file needs beside the shared memory; the largest needs were measured (`python -m benchmarks.decoding`).
MEMORY_BYTES = 128 * MEGABYTE
MEMORY_BYTES_PER_FILE_BYTE = 4
MEMORY_BYTES_PER_PIXEL = 32


class Decoders:
    """As many children as pictures are in use at a time; up to `worker_concurrency` of them are kept for later ones.

    Safe to use from several threads.
    """

    def __init__(self, settings: Settings, program: Sequence[str] = PROGRAM) -> None:
        self._settings, self._program = settings, program
        self._idle: deque[Decoder] = deque()
        # Decoders want to be created by a thread that does not end before us.
        self._creator = ThreadPoolExecutor(1, "decoders")

    def warm_up(self) -> int:
        """Start one child, so that the first job need not wait until it has imported what it needs. Returns its pid."""
        self._idle.append(decoder := self._new())
        return decoder.pid

    def header(self, data: bytes, check: Callable[[], None]) -> Header:
        """The file's header. Raises as `header.read` does, and as `decode`."""
        decoder, answer = self._ask("header", data, self._settings.max_image_pixels, check)
        self._release(decoder)
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in answer["header"].items()
        }
        return Header(**fields)

    def decode(self, data: bytes, pixel_count: int, check: Callable[[], None]) -> np.ndarray:
        """RGB pixels (H, W, 3) uint8, read-only, of an image whose header says that it has `pixel_count`. Their memory
        is used again when the last view of this array is gone.

        `check` is called every fraction of a second, and may raise to interrupt.
        Raises what `check` raises, OvsegError as `image.decode` does, `image_too_costly` for a file that takes more
        CPU time or memory than is allowed, and RuntimeError where our own code fails or the machine lacks memory.
        """
        decoder, answer = self._ask("pixels", data, pixel_count, check)
        flat = decoder.pixels(answer["shape"])
        weakref.finalize(flat, self._release, decoder).atexit = False
        return flat.reshape(answer["shape"])

    def close(self) -> None:
        """End the children that wait for work. Each of the others ends when its picture is gone, or with us."""
        self._creator.shutdown()
        while self._idle:
            self._idle.pop().kill()

    def _ask(
        self, want: str, data: bytes, pixel_count: int, check: Callable[[], None]
    ) -> tuple[Decoder, dict[str, Any]]:
        settings = self._settings
        if len(data) > settings.max_image_bytes:  # accepted by a gateway with other settings
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
        """A child may be killed for a reason outside the file, so a second one, a new one, tries too.

        Raises RuntimeError if both are: on another machine, or later, there may be memory enough.
        """
        cpu_seconds = self._settings.decode_seconds
        wall_seconds = cpu_seconds * WALL_SECONDS_PER_CPU_SECOND
        killed = 0
        for take in (self._idle_or_new, self._new):
            decoder = take()
            try:
                return decoder, decoder.ask(data, request, wall_seconds, check)
            except TimeoutError:
                raise _too_costly(f"{wall_seconds:g} s") from None
            except Died as died:
                if died.is_of_cpu_time:
                    raise _too_costly(f"{cpu_seconds:g} s of CPU time") from None
                killed += died.is_from_outside
                log.warning("a decoder %s over an image of %d bytes", died, len(data))
            check()
        if killed == 2:
            raise RuntimeError("two decoders were killed over an image; is this machine out of memory?")
        raise OvsegError("image_unreadable", "the image cannot be decoded: two decoders crashed over it", "image")

    def _idle_or_new(self) -> Decoder:
        while self._idle:
            try:
                decoder = self._idle.pop()  # the one used last: its memory is in the caches
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
        """Takes no lock: the garbage collector may call it in any thread, also in one that is inside this class."""
        if len(self._idle) < self._settings.worker_concurrency and decoder.is_alive:
            decoder.shrink()
            self._idle.append(decoder)
        else:
            decoder.kill()


def _too_costly(what: str) -> OvsegError:
    message = f"the image takes more than {what} to decode; a baseline JPEG or a plain PNG of the same size takes less"
    return OvsegError("image_too_costly", message, "image")
