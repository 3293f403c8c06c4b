"""The chunks of PNG: those that affect the pixels, and the others."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from tests.support import pictures

LIMIT = 80_000_000
SCENE = pictures.scene(40, 60)


def png(before: bytes = b"", **options: Any) -> bytes:
    return pictures.png(SCENE, 8, 2, before=before, **options)


@pytest.mark.parametrize(
    "chunk",
    [
        pictures.png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
        pictures.png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(3_000_000))),
        pictures.png_chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
        pictures.png_chunk(b"tEXt", b"note\0wrong checksum")[:-1] + b"\0",
        pictures.png_chunk(b"pHYs", b"\0\0\0\1\0\0\0\1\1")[:-1] + b"\xff",
        pictures.png_chunk(b"iCCP", b"not a profile"),
        pictures.png_chunk(b"tRNS", b"\0\1\0\2\0\3"),
        pictures.png_chunk(b"sBIT", b"\5\5\5") + pictures.png_chunk(b"gAMA", struct.pack(">I", 10_000)),
    ],
)
def test_chunks_that_do_not_affect_pixels_are_ignored(chunk: bytes) -> None:
    assert np.array_equal(image.decode(png(chunk), LIMIT), SCENE)


@pytest.mark.parametrize("is_interlaced", [False, True])
@pytest.mark.parametrize("bottom", [0, 200])
def test_a_png_with_fewer_rows_than_in_its_header_is_an_error(bottom: int, is_interlaced: bool) -> None:
    samples = SCENE.copy()
    samples[20:] = bottom
    assert np.array_equal(image.decode(pictures.png(samples, 8, 2, is_interlaced=is_interlaced), LIMIT), samples)
    with pytest.raises(OvsegError) as caught:
        image.decode(pictures.png(samples, 8, 2, is_interlaced=is_interlaced, rows=3), LIMIT)
    assert caught.value.code == "image_unreadable"


@pytest.mark.parametrize("end", [-12, -20])
def test_a_png_without_its_end_is_an_error(end: int) -> None:
    with pytest.raises(OvsegError, match="breaks off") as caught:
        image.decode(png()[:end], LIMIT)
    assert caught.value.code == "image_unreadable"


def test_a_wrong_checksum_of_pixels_is_an_error() -> None:
    data = bytearray(png())
    data[data.index(b"IDAT") + 60] ^= 1
    with pytest.raises(OvsegError, match="checksum"):
        image.decode(bytes(data), LIMIT)


@pytest.mark.parametrize("is_default_in_animation", [True, False])
def test_an_animated_png_is_decoded_to_its_first_frame_as_in_browsers(is_default_in_animation: bool) -> None:
    hidden, first, second = (Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue"))
    data = pictures.encoded(
        hidden, "PNG", save_all=True, append_images=[first, second], default_image=not is_default_in_animation
    )
    assert tuple(image.decode(data, LIMIT)[5, 5]) == ((255, 0, 0) if is_default_in_animation else (0, 255, 0))


HIDDEN, FRAME = np.zeros_like(SCENE), SCENE[:30, :50]


def apng(control: bytes, *, before: bytes = b"", after: bytes = b"", checksum: int = 0) -> bytes:
    """Return a black picture with a corner of SCENE as a frame at (0, 0); `checksum` is added to the frame's."""
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in FRAME))
    frame = pictures.png_chunk(b"fdAT", struct.pack(">I", 1) + rows)
    frame = frame[:-1] + bytes([(frame[-1] + checksum) % 256])
    data = pictures.png(HIDDEN, 8, 2, before=before)
    return data[:-12] + after + control + frame + data[-12:]


CONTROL = struct.pack(">IIIIIHHBB", 0, 50, 30, 0, 0, 1, 10, 0, 0)
ANIMATED = pictures.png_chunk(b"acTL", struct.pack(">II", 1, 0))
FIRST = pictures.png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 60, 40, 0, 0, 1, 10, 0, 0))
NEXT = pictures.png_chunk(b"fcTL", CONTROL)


def test_chunks_of_an_animation_are_used_only_if_one_is_announced() -> None:
    framed = HIDDEN.copy()
    framed[:30, :50] = FRAME
    assert np.array_equal(image.decode(apng(NEXT, before=ANIMATED), LIMIT), framed)
    for data in (apng(NEXT), apng(NEXT, after=ANIMATED), apng(NEXT, before=ANIMATED + FIRST), apng(NEXT, before=FIRST)):
        assert not image.decode(data, LIMIT).any()


def test_wrong_checksums_of_unused_chunks_are_ignored() -> None:
    end = bytearray(png())
    end[-1] ^= 1
    assert np.array_equal(image.decode(bytes(end), LIMIT), SCENE)
    assert not image.decode(apng(NEXT, before=ANIMATED + FIRST, checksum=1), LIMIT).any()
    with pytest.raises(OvsegError, match="checksum"):
        image.decode(apng(NEXT, before=ANIMATED, checksum=1), LIMIT)


def test_a_png_without_its_palette_is_an_error() -> None:
    colours = np.zeros((256, 3), np.uint8)
    data = pictures.png(SCENE[..., :1], 8, 3, colours)
    with pytest.raises(OvsegError, match="palette"):
        image.decode(data.replace(pictures.png_chunk(b"PLTE", colours.tobytes()), b""), LIMIT)


def test_an_unknown_critical_chunk_of_a_png_is_refused_by_name() -> None:
    with pytest.raises(OvsegError, match="CgBI") as caught:
        image.decode(png(pictures.png_chunk(b"CgBI", bytes(4))), LIMIT)
    assert caught.value.code == "image_format_unsupported"


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_exif_of_a_png_is_applied_from_any_place_in_the_file(place: str) -> None:
    chunk = pictures.png_chunk(b"eXIf", pictures.EXIF_6[6:])
    data = png(chunk) if place == "before" else png()[:-12] + chunk + pictures.png_chunk(b"IEND", b"")
    assert header.read(data, LIMIT).image_hw == (60, 40)
    assert np.array_equal(image.decode(data, LIMIT), np.rot90(SCENE, -1))
