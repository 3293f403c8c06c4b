"""A decoding child without our own limits: Pillow alone, so that only the limits of the process hold.

The beginning of a file decides what happens. HANGS: decoding never ends, and uses no CPU time. CRASHES: the process
crashes. IS_KILLED: it is killed, as by the kernel when memory runs out. FALLS_ONCE and a path: if there is no file at
that path, one is made and the process is killed. HANGS_ONCE and a path: the same, but the process hangs.
"""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from ovseg_core.image import Allocate
from worker.image import decoding_child

HANGS, CRASHES, IS_KILLED = b"hangs always", b"crashes", b"is killed"
FALLS_ONCE, HANGS_ONCE = b"falls once ", b"hangs once "
READ = header.read
PROGRAM = ("-m", "tests.support.decoder_without_counts")


def decode(data: bytes, max_pixels: int, allocate: Allocate = np.empty) -> np.ndarray:
    if data.startswith(HANGS):
        time.sleep(600)
    if data.startswith(CRASHES):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.startswith(IS_KILLED):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.startswith((FALLS_ONCE, HANGS_ONCE)):
        mark = Path(data.removeprefix(FALLS_ONCE).removeprefix(HANGS_ONCE).decode())
        if not mark.exists():
            mark.touch()
            if data.startswith(HANGS_ONCE):
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGKILL)
        data = _grey()
    try:
        rgb = Image.open(io.BytesIO(data)).convert("RGB")
    except Exception as error:
        raise OvsegError("image_unreadable", f"the image cannot be decoded: {error}", "image") from error
    pixels = allocate((rgb.height, rgb.width, 3), np.uint8)
    pixels[:] = np.asarray(rgb)
    return pixels


def read(data: bytes, max_pixels: int) -> header.Header:
    Image.open(io.BytesIO(data))
    return READ(data, max_pixels)


def _grey() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (128, 128, 128)).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    image.decode, header.read = decode, read
    Image.MAX_IMAGE_PIXELS = None
    decoding_child.main()
