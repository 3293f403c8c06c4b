from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from tests.support import pictures

LIMIT = 80_000_000


def upright() -> np.ndarray:
    """Four colours, so that every rotation and flip looks different."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30], pixels[20:, 30:] = 255, (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return pixels


# What a camera stores for each EXIF orientation: the inverse of what a viewer must do.
STORED = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p.transpose(1, 0, 2), 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied_to_pixels_and_to_the_header_s_size(orientation: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright())))
    data = pictures.encoded(stored, file_format, exif=exif, quality=95)
    pixels = image.decode(data, LIMIT)
    assert header.read(data, LIMIT).image_hw == pixels.shape[:2] == (40, 60)
    inner = (slice(4, 16), slice(4, 26))  # away from the borders, where JPEG mixes colours
    assert np.abs(pixels[inner].astype(int) - upright()[inner]).max() < 40


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (100, 7), (100, 100, 100)),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
        ("P", 0, (0, 0, 0)),
        ("I;16", 0x6400, (0x64, 0x64, 0x64)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    mode: str, colour: float | tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    data = pictures.encoded(Image.new(mode, (5, 4), colour), "PNG")
    pixels = image.decode(data, LIMIT)
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[0, 0]) == expected


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_netpbm_formats_are_read(mode: str) -> None:
    data = pictures.encoded(Image.new(mode, (5, 4), "white"), "PPM")
    assert header.read(data, LIMIT).format == "PPM"
    assert (image.decode(data, LIMIT) == 255).all()


def test_cmyk_becomes_rgb() -> None:
    data = pictures.encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    red = image.decode(data, LIMIT)[4, 4]
    assert red[0] > 200
    assert red[1:].max() < 60


def test_an_animation_is_decoded_to_its_first_picture() -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    data = pictures.encoded(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert tuple(image.decode(data, LIMIT)[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "image_empty", "no bytes"),
        (b"hello, I am text", "image_format_unsupported", "not an image of a known format"),
        (b"  <!DOCTYPE html><html>", "image_format_unsupported", "HTML is not supported"),
        (b"GIF89a" + bytes(20), "image_format_unsupported", "GIF is not supported; allowed: JPEG"),
        (b"%PDF-1.7 ...", "image_format_unsupported", "PDF is not supported"),
        (b"\x89PNG\r\n\x1a\n", "image_unreadable", "begins like a PNG file"),
    ],
)
def test_bytes_that_are_not_an_image_are_refused_by_their_header(data: bytes, code: str, message: str) -> None:
    for read in (header.read, image.decode):
        with pytest.raises(OvsegError) as caught:
            read(data, LIMIT)
        assert caught.value.code == code
        assert message in caught.value.message
        assert caught.value.field == "image"


def test_400_megapixels_are_refused_before_a_pixel_is_decoded() -> None:
    data = pictures.png_of_400_megapixels()
    assert len(data) < 100_000
    with pytest.raises(OvsegError) as caught:
        header.read(data, LIMIT)
    assert caught.value.code == "image_too_many_pixels"


def test_an_image_with_more_pixels_than_the_limit_is_refused() -> None:
    data = pictures.noise(20, 30)
    assert header.read(data, 600).image_hw == (20, 30)
    with pytest.raises(OvsegError, match="30 x 20 = 600 pixels; at most 599"):
        header.read(data, 599)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.98])
def test_a_truncated_file_is_an_error_and_not_half_a_picture(file_format: str, kept: float) -> None:
    data = pictures.noise(100, 100, file_format)
    with pytest.raises(OvsegError) as caught:
        image.decode(data[: int(len(data) * kept)], LIMIT)
    assert caught.value.code == "image_unreadable"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_picture_with_a_broken_exif_block_is_read() -> None:
    data = pictures.encoded(Image.new("RGB", (6, 4), "red"), "JPEG", exif=b"Exif\0\0II*\0garbage")
    assert image.decode(data, LIMIT).shape == (4, 6, 3)
