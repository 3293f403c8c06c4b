"""Decode WebP with OpenCV; from an animation, the first frame on black, which is how its canvas begins."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from ovseg_core.header import webp
from ovseg_core.header.head import unreadable

PICTURES = (b"VP8 ", b"VP8L")


def decode(data: bytes) -> np.ndarray:
    """Return RGB pixels (H, W, 3) uint8 as stored. Raises OvsegError `image_unreadable`."""
    height, width = webp.read(data).stored_hw
    for kind, at, length in webp.chunks(data):
        if kind in PICTURES:
            return _picture(data, kind, at, length)
        if kind == b"ANMF":
            x, y = (2 * int.from_bytes(data[at + i : at + i + 3], "little") for i in (0, 3))
            for inner, start, size in webp.chunks(data, at + 16, at + length):
                if inner in PICTURES:
                    frame = _picture(data, inner, start, size)
                    if y + len(frame) > height or x + frame.shape[1] > width:
                        raise unreadable("the first frame of this animated WebP reaches beyond the picture")
                    pixels = np.zeros((height, width, 3), np.uint8)
                    pixels[y : y + len(frame), x : x + frame.shape[1]] = frame
                    return pixels
            break
    raise unreadable("the WebP breaks off before its picture")


def _picture(data: bytes, kind: bytes, at: int, length: int) -> np.ndarray:
    """Return a WebP file of this chunk alone, without alpha, EXIF and other chunks."""
    chunk = struct.pack("<4sI", kind, length) + data[at : at + length] + b"\0" * (length % 2)
    alone = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
    pixels = cv2.imdecode(np.frombuffer(alone, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != webp.hw(data, kind, at):
        raise unreadable("the WebP is corrupt or breaks off")
    rgb: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return rgb
