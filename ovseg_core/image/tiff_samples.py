"""Read the samples of a TIFF's page.

libtiff (through Pillow) only unpacks bytes here: it is given a file that describes a grey picture of 8 bits whose rows
have as many bytes as the real ones. So no combination of bands, bits, planes and colours depends on Pillow.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import ImageFile, TiffImagePlugin

from ovseg_core.header import tiff
from ovseg_core.header.head import too_costly, unreadable
from ovseg_core.header.tiff import Page
from ovseg_core.image import jpeg_in_tiff

LONG8 = 16  # a type of tag values
HEADER_BYTES = 16  # the header of a BigTIFF
REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]
MOST_TOO_MUCH = 1 << 16  # bytes of a strip or tile beyond its expected size
END_OF_FAX = 0x001001  # EOFB of ITU-T T.6, at any bit
Segment = tuple[int, int, memoryview]  # its first row and column in the picture, and its packed data


def of(page: Page, bands: int) -> np.ndarray:
    """Return (H, W, at least `bands`), uint8 or uint16; samples of 1, 2 and 4 bits are not yet scaled.

    Raises OvsegError `image_unreadable`, `image_too_costly`, `image_format_unsupported`.
    """
    if not page.is_separate:
        return _plane(page, 0)
    height, width = page.hw
    samples = np.empty((height, width, bands), np.uint16 if page.bits == 16 else np.uint8)
    for band in range(bands):
        samples[..., band] = _plane(page, band)[..., 0]
    return samples


def _plane(page: Page, plane: int) -> np.ndarray:
    """Return (H, W, bands together)."""
    segments = _segments(page, plane)
    if page.compression == tiff.JPEG:
        return jpeg_in_tiff.samples(page, segments)
    if page.compression == tiff.FAX4:
        return _unpacked(page, segments, "1")[..., None]
    is_ours = page.compression in (tiff.NONE, tiff.DEFLATE, tiff.OLD_DEFLATE)
    rows = _rows(page, segments) if is_ours else _unpacked(page, segments, "L")
    height, width = page.hw
    if page.bits < 8:
        return _bits(rows, page.bits, width)[..., None]
    samples = rows if page.bits == 8 else rows.view(f"{page.directory.order}u2").astype(np.uint16)
    samples = samples.reshape(height, width, page.bands_together)
    if page.has_predictor:
        for left in range(0, width, page.segment_hw[1]):
            part = samples[:, left : left + page.segment_hw[1]]
            np.add.accumulate(part, axis=1, dtype=samples.dtype, out=part)
    return samples


def _segments(page: Page, plane: int) -> list[Segment]:
    """Return the strips or tiles of a plane. Raises OvsegError if one is outside the file."""
    (down, across), (rows, columns), data = page.grid_hw, page.segment_hw, page.directory.data
    each = down * across
    tags = (tiff.TILE_OFFSETS, tiff.TILE_BYTES) if page.is_tiled else (tiff.STRIP_OFFSETS, tiff.STRIP_BYTES)
    offsets, sizes = (page.directory.values(tag, (plane + 1) * each)[plane * each :] for tag in tags)
    if not sizes and page.compression == tiff.NONE and each == 1:
        sizes = (row_bytes(page, columns) * rows,)
    if len(offsets) < each or len(sizes) < each:
        raise unreadable(f"this TIFF should have {each:,} strips or tiles, and has fewer")
    if sum(sizes) > 2 * len(data):
        raise too_costly("the strips or tiles of this TIFF lie over each other")
    view = memoryview(data)
    found = []
    for i, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        if size <= 0 or offset < 0 or offset + size > len(data):
            raise unreadable("the TIFF breaks off, or lacks one of its strips or tiles")
        found.append((i // across * rows, i % across * columns, view[offset : offset + size]))
    return found


def row_bytes(page: Page, columns: int) -> int:
    return -(-columns * page.bands_together * page.bits // 8)


def _rows(page: Page, segments: list[Segment]) -> np.ndarray:
    """Return the rows (H, bytes) of a page that is uncompressed or deflated."""
    (height, width), (most_rows, columns) = page.hw, page.segment_hw
    across = row_bytes(page, columns)
    rows = np.empty((height, row_bytes(page, width)), np.uint8)
    is_reversed = page.directory.value(tiff.FILL_ORDER, 1) == 2
    for y, x, packed in segments:
        there = most_rows if page.is_tiled else min(most_rows, height - y)
        content = REVERSED[np.frombuffer(packed, np.uint8)].tobytes() if is_reversed else packed
        content = content if page.compression == tiff.NONE else _inflated(content, most_rows * across)
        if len(content) < there * across:
            raise unreadable("the TIFF has a strip or tile with too little data")
        segment = np.frombuffer(content, np.uint8, there * across).reshape(there, across)
        left = row_bytes(page, x)
        place = rows[y : y + there, left : left + across]
        place[:] = segment[: place.shape[0], : place.shape[1]]
    return rows


def _inflated(packed: bytes | memoryview, most: int) -> bytes:
    """Inflate, and verify the checksum, which libtiff does not. Some programs pad the last strip, to `most` bytes."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, most + MOST_TOO_MUCH)
    except zlib.error:
        raise unreadable("the TIFF is corrupt: a strip or tile cannot be inflated") from None
    if not stream.eof:
        raise unreadable("the TIFF is corrupt: a strip or tile breaks off, or has too much data")
    return content


def _unpacked(page: Page, segments: list[Segment], mode: str) -> np.ndarray:
    """Return the rows (H, bytes) of a page with another compression; (H, W) of 0 and 1 with the mode "1"."""
    (height, width), (rows, columns) = page.hw, page.segment_hw
    if mode == "1":
        for _, _, packed in segments:
            _check_end_of_fax(packed, page.directory.value(tiff.FILL_ORDER, 1) == 2)
    else:
        width, columns = row_bytes(page, width), row_bytes(page, columns)
    tags = {
        tiff.WIDTH: [width],
        tiff.HEIGHT: [height],
        tiff.BITS: [8 if mode == "L" else 1],
        tiff.COMPRESSION: [page.compression],
        tiff.PHOTOMETRIC: [tiff.BLACK_IS_ZERO],
        tiff.FILL_ORDER: [page.directory.value(tiff.FILL_ORDER, 1)],
    }
    if page.is_tiled:
        tags |= {tiff.TILE_WIDTH: [columns], tiff.TILE_HEIGHT: [rows]}
    else:
        tags |= {tiff.ROWS_PER_STRIP: [rows]}
    image = _BytesAsPixels(io.BytesIO(_alone(page.is_tiled, tags, segments)))
    image.load()
    return np.array(image, np.uint8)


class _BytesAsPixels(TiffImagePlugin.TiffImageFile):
    """Has up to eight times the pixels of the picture, which were counted when the header was read."""

    def load_prepare(self) -> None:
        # TiffImageFile's version warns about 89 million pixels and refuses 179 million.
        ImageFile.ImageFile.load_prepare(self)


def _alone(is_tiled: bool, tags: dict[int, list[int]], segments: list[Segment]) -> bytes:
    """Write a BigTIFF of one page with these tags and this packed data."""
    sizes = [len(packed) for _, _, packed in segments]
    ends = np.cumsum(sizes) + HEADER_BYTES
    tags[tiff.TILE_OFFSETS if is_tiled else tiff.STRIP_OFFSETS] = [int(e) - s for e, s in zip(ends, sizes, strict=True)]
    tags[tiff.TILE_BYTES if is_tiled else tiff.STRIP_BYTES] = sizes
    directory_at = int(ends[-1])
    values_at = directory_at + 8 + 20 * len(tags) + 8
    entries, values = [], []
    for tag, numbers in sorted(tags.items()):
        if len(numbers) == 1:
            entries.append(struct.pack("<HHQQ", tag, LONG8, 1, numbers[0]))
        else:
            entries.append(struct.pack("<HHQQ", tag, LONG8, len(numbers), values_at))
            values.append(struct.pack(f"<{len(numbers)}Q", *numbers))
            values_at += len(values[-1])
    header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory_at)
    count, following = struct.pack("<Q", len(tags)), struct.pack("<Q", 0)
    return b"".join([header, *(packed for _, _, packed in segments), count, *entries, following, *values])


def _check_end_of_fax(packed: memoryview, is_reversed: bool) -> None:
    """Require the end code: libtiff pads truncated data, and Pillow drops its warning."""
    tail = bytes(packed[-64:])
    if is_reversed:
        tail = REVERSED[np.frombuffer(tail, np.uint8)].tobytes()
    bits = int.from_bytes(tail.rstrip(b"\0"), "big")
    # The code ends in a one bit, and only zeros follow.
    while bits and bits & 1 == 0:
        bits >>= 1
    if bits & 0xFFFFFF != END_OF_FAX:
        message = (
            "the Group 4 data of this TIFF has no end code (EOFB), so it may have broken off; save it with another"
        )
        raise unreadable(f"{message} compression, or with a program that writes the code")


def _bits(rows: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Unpack values (H, W) of 1, 2 or 4 bits."""
    if bits == 1:
        return np.unpackbits(rows, axis=1, count=width)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    values = rows[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
    return values.reshape(len(rows), -1)[:, :width]
