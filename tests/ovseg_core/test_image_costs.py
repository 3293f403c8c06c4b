"""Files that cost more than they seem to: what the header reader and the decoder check before they do the work."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from PIL import Image

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from tests.support import pictures

LIMIT = 80_000_000
UPLOAD = 20_000_000  # bytes: the largest image that a service accepts by default
HW = 8_900, 8_900  # 79 megapixels


def jpeg_segment(code: int, content: bytes = b"") -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", 2 + len(content)) + content


def webp(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def avif(content: bytes) -> bytes:
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + content


SMALL = Image.new("RGB", (64, 64))
JPEG, PROGRESSIVE = (pictures.encoded(SMALL, "JPEG", progressive=progressive) for progressive in (False, True))
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
PNG = pictures.png(np.zeros((4, 4, 1), np.uint8), 8, 0)
EXIF = b"MM\0*\0\0\0\x08\xff\xff"
VP8X = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + b"\x3f\0\0\x3f\0\0"
ROW = np.zeros((8, 8), np.uint8)
PROPERTIES = box(b"ipco", box(b"ispe", bytes(12)))

HOSTILE: dict[str, Callable[[], bytes]] = {
    "JPEG of a million segments": lambda: JPEG[:2] + jpeg_segment(0xE1) * (UPLOAD // 4) + JPEG[2:],
    "JPEG with a run of 0xFF": lambda: JPEG[:2] + b"\xff" * UPLOAD + JPEG[2:],
    "JPEG with a run of 0xFF00": lambda: JPEG[:2] + b"\xff\0" * (UPLOAD // 2) + JPEG[2:],
    "JPEG with a run of letters": lambda: JPEG[:2] + b"a" * UPLOAD + JPEG[2:],
    "JPEG of a million restarts": lambda: JPEG[:2] + b"\xff\xd0" * (UPLOAD // 2) + JPEG[2:],
    "JPEG with large EXIF": lambda: JPEG[:2] + jpeg_segment(0xE1, (b"Exif\0\0" + EXIF).ljust(65_533)) * 300 + JPEG[2:],
    "JPEG of a million scans": lambda: PROGRESSIVE[:-2] + LAST_SCAN * (UPLOAD // len(LAST_SCAN)) + b"\xff\xd9",
    "PNG of a million chunks": lambda: PNG[:33] + pictures.png_chunk(b"tEXt", b"") * (UPLOAD // 12) + PNG[33:],
    "PNG with large EXIF": lambda: PNG[:33] + pictures.png_chunk(b"eXIf", EXIF + bytes(UPLOAD)) + PNG[33:],
    "PNM with a long comment": lambda: b"P6\n#" + b"a" * UPLOAD + b"\n4 4\n255\n" + bytes(48),
    "PNM with many comments": lambda: b"P6\n" + b"#\n" * (UPLOAD // 2) + b"4 4\n255\n" + bytes(48),
    "PNM with many blanks": lambda: b"P6\n" + b" " * UPLOAD + b"4 4\n255\n" + bytes(48),
    "PNM with a long number": lambda: b"P6\n" + b"1" * UPLOAD + b" 4\n255\n" + bytes(48),
    "TIFF with many tags": lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(UPLOAD),
    "TIFF with many offsets": lambda: pictures.tiff(ROW, 8, {273: [8] * 2_000_000, 279: [8] * 2_000_000}),
    "TIFF with many bands": lambda: pictures.tiff(ROW, 8, {277: 65_535, 258: [8] * 65_535}),
    "WebP of a million chunks": lambda: webp(VP8X + b"JUNK\0\0\0\0" * (UPLOAD // 8)),
    "WebP with large EXIF": lambda: webp(VP8X + b"EXIF" + struct.pack("<I", UPLOAD) + EXIF.ljust(UPLOAD, b"\0")),
    "AVIF of a million boxes": lambda: avif(box(b"free", b"") * (UPLOAD // 8)),
    "AVIF of a million properties": lambda: avif(box(b"meta", bytes(4) + box(b"iprp", PROPERTIES * (UPLOAD // 40)))),
    "AVIF of a million brands": lambda: struct.pack(">I", UPLOAD) + b"ftypabcd" + bytes(UPLOAD),
    "blanks before an SVG": lambda: b" " * UPLOAD + b"<svg",
    "nothing but zeros in a BMP": lambda: b"BM" + bytes(UPLOAD),
}


def spent(data: bytes) -> tuple[float, int]:
    """Return the CPU seconds and the peak of Python's memory in bytes while a header is read."""
    start = time.thread_time()
    _answer(data)
    seconds = time.thread_time() - start
    tracemalloc.start()
    _answer(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, most


def _answer(data: bytes) -> header.Header | OvsegError:
    try:
        return header.read(data, LIMIT)
    except OvsegError as error:
        return error


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_the_header_of_any_file_of_20_megabytes_takes_little_time_and_memory(name: str) -> None:
    seconds, most = spent(HOSTILE[name]())
    assert seconds < 2
    assert most < 4_000_000


def _tiled_tiff() -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros(HW, np.uint8), tile=(512, 512), compression="lzw")
    return buffer.getvalue()


def _heic_of_a_header() -> bytes:
    """Return a file with only the parts that the header reader reads: encoding 79 megapixels would take minutes."""
    height, width = HW
    ispe = box(b"ispe", struct.pack(">III", 0, width, height))
    ipma = box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1))
    properties = box(b"iprp", box(b"ipco", ispe) + ipma)
    return box(b"meta", bytes(4) + box(b"pitm", struct.pack(">IH", 0, 1)) + properties) + bytes(UPLOAD // 2)


def _large(file_format: str) -> bytes:
    if file_format in ("AVIF", "HEIC"):
        brand = file_format.lower().encode()
        return box(b"ftyp", brand + bytes(4) + brand + b"mif1") + _heic_of_a_header()
    if file_format == "TIFF":
        return _tiled_tiff()
    picture = Image.new("1" if file_format in ("PNG", "PPM", "BMP") else "RGB", HW[::-1])
    return pictures.encoded(picture, file_format, **({"method": 0, "quality": 0} if file_format == "WEBP" else {}))


@pytest.mark.parametrize("file_format", header.FORMATS)
def test_the_header_of_79_megapixels_is_read_fast_and_without_decoding(file_format: str) -> None:
    data = _large(file_format)
    assert header.read(data, LIMIT) == header.Header(file_format, HW)
    seconds, most = spent(data)
    assert seconds < 0.25
    assert most < 2_000_000


def too_many_scans() -> bytes:
    data = pictures.encoded(Image.new("L", (8_000, 8_000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan[:12] * 100 + b"\xff\xd9"


def large_tile() -> bytes:
    tags: dict[int, int | list[int]] = {322: 32_768, 323: 32_768, 324: 8, 325: 64}
    return pictures.tiff(np.zeros((16, 16), np.uint8), 8, tags)


COSTLY = {
    "scans": too_many_scans,
    "a tile of 32,768 x 32,768 in 16 x 16 pixels": large_tile,
    "strips": lambda: pictures.tiff(np.zeros((1, 1), np.uint8), 8, {257: 1_000_000, 278: 1}),
    "samples": lambda: pictures.tiff(ROW, 8, {256: 8_000, 257: 8_000, 278: 8_000, 277: 16, 258: [16] * 16, 262: 2}),
    "strips over each other": lambda: pictures.tiff(ROW, 8, {278: 1, 273: [8] * 8, 279: [200] * 8}),
    "PNM's comments": HOSTILE["PNM with many comments"],
    "PNG's chunks": HOSTILE["PNG of a million chunks"],
    "JPEG's segments": HOSTILE["JPEG of a million segments"],
    "AVIF's boxes": HOSTILE["AVIF of a million boxes"],
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_file_that_is_too_costly_is_refused_before_it_is_decoded(name: str) -> None:
    data = COSTLY[name]()
    start = time.thread_time()
    with pytest.raises(OvsegError) as caught:
        image.decode(data, LIMIT)
    assert caught.value.code == "image_too_costly"
    assert time.thread_time() - start < 2


def test_usual_progressive_files_of_any_size_are_read() -> None:
    for side in (64, 3_000):
        data = pictures.encoded(Image.new("RGB", (side, side), "teal"), "JPEG", progressive=True)
        assert image.decode(data, LIMIT).shape == (side, side, 3)
    header.read(pictures.encoded(Image.new("RGB", HW[::-1]), "JPEG", progressive=True) + bytes(1000), LIMIT)


def test_bytes_after_the_picture_that_look_like_scans_are_not_counted() -> None:
    data = pictures.encoded(Image.new("L", (3_000, 3_000)), "JPEG", progressive=True)
    assert image.decode(data + b"\xff\xda" * 5_000, LIMIT).shape == (3_000, 3_000, 3)


def test_the_time_for_a_run_length_bmp_is_bounded_by_its_pixels() -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 4_000, 4_000, 1, 8, 1, 0, 0, 0, 256, 0)
    palette = bytes(4) + b"\xff\xff\xff\0" * 255
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024) + head + palette + b"\0\2\xff\xff" * 10 + b"\5\1\0\1"
    start = time.thread_time()
    pixels = image.decode(data, LIMIT)
    assert time.thread_time() - start < 10  # Pillow: a minute
    assert np.count_nonzero(pixels.any(axis=2)) == 5


def test_the_time_for_a_text_pnm_is_bounded_by_its_length() -> None:
    side = 1_000
    for body in (b"7 " * (side * side), b"#x\n7 " * (side * side), b"0000000007\n" * (side * side)):
        data = b"P2\n%d %d\n10\n" % (side, side) + body
        start = time.thread_time()
        assert (image.decode(data, LIMIT) == 179).all()
        assert time.thread_time() - start < 5
    with pytest.raises(OvsegError, match="breaks off"):
        image.decode(b"P2\n4000 4000\n10\n" + b"7 " * 10, LIMIT)


def test_data_after_the_end_of_the_picture_is_not_unpacked() -> None:
    packed = zlib.compress(bytes(60_000_000))
    png = PNG[:33] + pictures.png_chunk(b"IDAT", packed) + PNG[-12:]
    tracemalloc.start()
    assert not image.decode(png, LIMIT).any()
    with pytest.raises(OvsegError, match="too much data"):
        image.decode(pictures.tiff(ROW, 8, {259: 8}, [packed]), LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
