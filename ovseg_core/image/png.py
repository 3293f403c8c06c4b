"""Decode PNG with Pillow, which is given only the chunks that make the picture."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import PngImagePlugin

from ovseg_core.header import png
from ovseg_core.header.head import unreadable, unsupported

PALETTE = 3  # a colour type
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by colour type
# For each pass of an interlaced picture: its first column and row, and the steps right and down.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass
class Parts:
    """The chunks that make a picture.

    If the first frame of an animation is not the picture, `frame` is its data and `control` its size and position.
    """

    palette: bytes = b""
    picture: list[bytes] = field(default_factory=list)
    control: bytes = b""
    frame: list[bytes] = field(default_factory=list)


def decode(data: bytes) -> np.ndarray:
    """Decode to RGB pixels (H, W, 3) uint8 as stored; from an animation, its first frame as browsers show it.

    Raises OvsegError `image_unreadable`.
    """
    width, height, *kind = png.ihdr(data)
    parts = _parts(data)
    if parts.frame:
        _, frame_w, frame_h, x, y = struct.unpack_from(">IIIII", parts.control)
        if not (0 < frame_w <= width - x and 0 < frame_h <= height - y):
            raise unreadable("the first frame of this animated PNG reaches beyond the picture")
        pixels = np.zeros((height, width, 3), np.uint8)
        frame = _picture(frame_w, frame_h, kind, parts.palette, b"".join(parts.frame))
        pixels[y : y + frame_h, x : x + frame_w] = frame
        return pixels
    return _picture(width, height, kind, parts.palette, b"".join(parts.picture))


def _parts(data: bytes) -> Parts:
    """Read the chunks. Raises OvsegError if a chunk of pixels has a wrong checksum, or the end is missing."""
    parts = Parts()
    is_animated, controls = False, 0
    for kind, at, length in png.chunks(data):
        if kind == b"IEND":
            return parts
        if kind == b"acTL":
            is_animated |= not parts.picture  # ignored after the picture
        elif kind == b"fcTL":
            controls += 1
            if not parts.picture:
                is_animated = False  # the first frame is the picture
            elif is_animated and controls == 1:
                parts.control = _checked(data, at, length)
        elif kind == b"fdAT" and parts.control and controls == 1:
            parts.frame.append(_checked(data, at, length)[4:])
        elif kind == b"PLTE":
            parts.palette = _checked(data, at, length)
        elif kind == b"IDAT":
            parts.picture.append(_checked(data, at, length))
        elif kind[0] & 0x20 == 0 and kind != b"IHDR":
            raise unsupported(f"this PNG cannot be read without its chunk {kind!r}, which is not supported")
    raise unreadable("the PNG breaks off before its end")


def _checked(data: bytes, at: int, length: int) -> bytes:
    """Return the content of a chunk. Checksums are verified only for chunks that affect pixels."""
    if zlib.crc32(data[at - 4 : at + length]) != int.from_bytes(data[at + length : at + length + 4], "big"):
        raise unreadable("the PNG is corrupt: the checksum of a chunk with pixels is wrong")
    return data[at : at + length]


def _picture(width: int, height: int, kind: list[int], palette: bytes, packed: bytes) -> np.ndarray:
    """Decode a PNG of only this data. `kind` is what follows width and height in IHDR."""
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *kind))]
    if kind[1] == PALETTE and not palette:
        raise unreadable("this PNG lacks its palette")
    if palette:
        chunks.append(_chunk(b"PLTE", palette))
    chunks += [_chunk(b"IDAT", packed), _chunk(b"IEND", b"")]
    image = PngImagePlugin.PngImageFile(io.BytesIO(png.SIGNATURE + b"".join(chunks)))
    image.load()
    if image.mode.startswith("I;16"):
        pixels = np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    else:
        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    # If the data is complete but has too few rows, Pillow leaves the others black without an error.
    if (kind[-1] or not pixels[-1].any()) and not _reaches(packed, _unpacked_bytes(width, height, kind)):
        raise unreadable("the PNG is corrupt: it has fewer rows than its header says")
    return pixels


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def _unpacked_bytes(width: int, height: int, kind: list[int]) -> int:
    depth, colour, _, _, interlace = kind
    total = 0
    for x, y, right, down in ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // right), -(-(height - y) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * SAMPLES[colour] * depth // 8))
    return total


def _reaches(packed: bytes, wanted: int) -> bool:
    """True if the data inflates to at least `wanted` bytes."""
    stream, got, rest = zlib.decompressobj(), 0, packed
    while got < wanted and not stream.eof:
        out = len(stream.decompress(rest, 1 << 20))
        rest = stream.unconsumed_tail
        if not out and not rest:
            break
        got += out
    return got >= wanted
