"""A JPEG is read exactly or refused: warnings of libjpeg are errors, except those that change no pixel."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from ovseg_core import image
from ovseg_core.errors import OvsegError
from tests.support import pictures

LIMIT = 80_000_000
SCENE = pictures.scene(203, 301)
Harm = Callable[[bytes], bytes]


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    return pictures.encoded(Image.fromarray(SCENE).convert(mode), "JPEG", quality=85, **options)


def restarting() -> bytes:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_RST_INTERVAL, 4]
    return cv2.imencode(".jpg", SCENE[..., ::-1], parameters)[1].tobytes()


KINDS = {
    "baseline": jpeg(),
    "4:4:4": jpeg(subsampling=0),
    "4:2:2": jpeg(subsampling=1),
    "progressive": jpeg(progressive=True),
    "grey": jpeg("L"),
    "CMYK": jpeg("CMYK"),
    "CMYK, three inks at half the width and height": jpeg("CMYK", subsampling=2),
    "restarts": restarting(),
}


def segment(code: int, content: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", 2 + len(content)) + content


def bytes_between(data: bytes) -> bytes:
    """Insert bytes that belong to no segment before the quantization tables."""
    at = data.index(b"\xff\xdb")
    return data[:at] + b"abcde\0\xff\0" + data[at:]


def unknown_revision(data: bytes) -> bytes:
    if b"JFIF\0" not in data:
        return data[:2] + segment(0xE0, b"JFIF\0\x09\x09\0\0\x01\0\x01\0\0") + data[2:]
    at = data.index(b"JFIF\0")
    return data[: at + 5] + b"\x09\x09" + data[at + 7 :]


def odd_scan(data: bytes) -> bytes:
    """Change the last three parameters of the scan as some cameras do; sequential JPEGs do not use them."""
    at = data.index(b"\xff\xda")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[: end - 3] + b"\0\0\0" + data[end:]


def zeros_after_scan(data: bytes) -> bytes:
    return data[:-2] + bytes(500) + data[-2:]


HARMLESS: list[Harm] = [
    bytes_between,
    unknown_revision,
    zeros_after_scan,
    lambda data: bytes_between(unknown_revision(zeros_after_scan(data))),
    lambda data: data[:-2] + b"\xff" * 500 + data[-2:],
    lambda data: data[:-2] + bytes(300) + b"\xff\xff" + data[-2:],
    lambda data: data[:-2] + b"\r\n" + data[-2:],
    lambda data: data + b"what a phone puts behind" * 50,
    lambda data: data + data,
    lambda data: data[:2] + segment(0xE2, b"ICC_PROFILE\0\x01\x09broken") + data[2:],
    lambda data: data[:2] + segment(0xFE, b"\xff\xd8\xff\xda a comment") + data[2:],
    lambda data: data[:2] + b"\xff\xff\xff" + data[2:],
    lambda data: data[:2] + b"abc" + data[2:],
]


def cut_with_end(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\xff\xd9"


def zeroed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(600) + data[middle + 600 :]


def gap(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + data[middle + 700 :]


HARMFUL: list[Harm] = [
    lambda data: data[: len(data) // 2],
    lambda data: data[:-2],
    cut_with_end,
    zeroed,
    gap,
    lambda data: data[: data.index(b"\xff\xda") + 14] + b"\xff\xd9",
]


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_has_the_pixels_of_pillow_and_opencv(kind: str) -> None:
    data = KINDS[kind]
    pixels = image.decode(data, LIMIT)
    assert np.array_equal(pixels, picture(data))
    assert np.abs(pixels.astype(int) - pictures.by_opencv(data)).max() <= (3 if "CMYK" in kind else 0)


@pytest.mark.parametrize("harm", HARMLESS)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_that_changes_no_pixel_is_not_an_error(kind: str, harm: Harm) -> None:
    if "CMYK" in kind and harm is unknown_revision:
        return  # JFIF has no CMYK
    assert np.array_equal(image.decode(harm(KINDS[kind]), LIMIT), picture(KINDS[kind]))


@pytest.mark.parametrize("kind", ["baseline", "4:4:4", "grey", "CMYK", "restarts"])
def test_a_sequential_scan_with_the_parameters_of_a_progressive_one_is_not_an_error(kind: str) -> None:
    assert np.array_equal(image.decode(odd_scan(KINDS[kind]), LIMIT), picture(KINDS[kind]))


@pytest.mark.parametrize("harmless", [None, bytes_between, unknown_revision])
@pytest.mark.parametrize("harm", HARMFUL)
@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_jpeg_is_an_error_also_if_it_has_harmless_damage(kind: str, harm: Harm, harmless: Harm | None) -> None:
    data = harm(KINDS[kind])
    if harmless and not ("CMYK" in kind and harmless is unknown_revision):
        data = harmless(data)
    with pytest.raises(OvsegError) as caught:
        image.decode(data, LIMIT)
    assert caught.value.code == "image_unreadable"


def test_a_missing_restart_marker_is_an_error() -> None:
    data = restarting()
    at = data.index(b"\xff\xd3", data.index(b"\xff\xda"))
    with pytest.raises(OvsegError, match="corrupt"):
        image.decode(data[:at] + data[at + 2 :], LIMIT)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(4, 12, "samples of 12 bits"), (9, 2, "2 components"), (1, 0xC3, "lossless or hierarchical")],
)
def test_an_unsupported_kind_of_jpeg_is_refused_by_name(at: int, value: int, words: str) -> None:
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + at] = value
    with pytest.raises(OvsegError, match=words) as caught:
        image.decode(bytes(data), LIMIT)
    assert caught.value.code == "image_format_unsupported"


def test_a_jpeg_with_several_pictures_is_decoded_to_the_first() -> None:
    first, second = Image.fromarray(SCENE), Image.fromarray(SCENE[::-1].copy())
    data = pictures.encoded(first, "MPO", save_all=True, append_images=[second], quality=85)
    assert np.array_equal(image.decode(data, LIMIT), picture(data))


def test_a_jpeg_is_decoded_into_the_memory_that_the_caller_gives() -> None:
    given = np.zeros(SCENE.size + 4096, np.uint8)
    shapes = []

    def allocate(shape: tuple[int, int, int], dtype: type) -> np.ndarray:
        shapes.append((shape, dtype))
        return given[: np.prod(shape)].reshape(shape)

    for data in (jpeg(), jpeg("CMYK"), pictures.encoded(Image.fromarray(SCENE), "PNG")):
        given[:] = 0
        pixels = image.decode(data, LIMIT, allocate)
        assert pixels.base is given
        assert np.array_equal(pixels, picture(data))
    assert shapes == [((203, 301, 3), np.uint8)] * 3
