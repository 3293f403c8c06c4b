"""BMP with every number of bits per pixel."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ovseg_core import image
from ovseg_core.errors import OvsegError
from tests.support import pictures

LIMIT = 80_000_000
SCENE = pictures.scene(61, 83)  # odd sides, so that no row ends evenly
GREY = SCENE[..., 1]


PALETTE = np.random.default_rng(3).integers(0, 256, (256, 3), dtype=np.uint8)
BMP_PALETTE = np.dstack([PALETTE[:, 2], PALETTE[:, 1], PALETTE[:, 0], np.zeros(256, np.uint8)]).tobytes()
BGR = SCENE[..., ::-1]
FIVE_BITS = (SCENE >> 3).astype("<u2")
GREEN_OF_SIX = (SCENE[..., 1] >> 2).astype("<u2")
OF_555 = FIVE_BITS[..., 0] << 10 | FIVE_BITS[..., 1] << 5 | FIVE_BITS[..., 2]
OF_565 = FIVE_BITS[..., 0] << 11 | GREEN_OF_SIX << 5 | FIVE_BITS[..., 2]
FROM_FIVE = np.round(FIVE_BITS.astype(int) * 255 / 31)
FROM_565 = np.dstack([FROM_FIVE[..., 0], np.round(GREEN_OF_SIX.astype(int) * 255 / 63), FROM_FIVE[..., 2]])


def run_lengths(values: np.ndarray) -> bytes:
    """Encode each pixel as a run of length one."""
    rows = [b"".join(b"\1%c" % value for value in row) for row in values[::-1]]
    return b"\0\0".join(rows) + b"\0\1"


BMPS = {
    "8 bits": (8, pictures.bmp_rows(GREY), 0, BMP_PALETTE, PALETTE[GREY]),
    "run lengths": (8, run_lengths(GREY), 1, BMP_PALETTE, PALETTE[GREY]),
    "4 bits": (4, pictures.bmp_rows((GREY[:, ::2] >> 4) * 17), 0, BMP_PALETTE[:64], None),
    "24 bits": (24, pictures.bmp_rows(BGR), 0, b"", SCENE),
    "32 bits": (32, pictures.bmp_rows(np.dstack([BGR, 0 * GREY])), 0, b"", SCENE),
    "32 bits with masks": (
        32,
        pictures.bmp_rows(np.dstack([BGR, 0 * GREY])),
        3,
        struct.pack("<III", 0xFF0000, 0xFF00, 0xFF),
        SCENE,
    ),
    "15 bits": (16, pictures.bmp_rows(OF_555), 0, b"", FROM_FIVE),
    "16 bits": (16, pictures.bmp_rows(OF_565), 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), FROM_565),
}


@pytest.mark.parametrize("kind", BMPS)
def test_a_bmp_has_the_pixels_that_were_written(kind: str) -> None:
    bits, body, compression, behind_header, expected = BMPS[kind]
    height, width = GREY.shape
    data = pictures.bmp((width, height), bits, body, compression, behind_header)
    if expected is None:
        expected = PALETTE[np.repeat(GREY[:, ::2] >> 4, 2, axis=1)[:, :width]]
    assert np.abs(image.decode(data, LIMIT) - expected.astype(float)).max() <= (
        1 if bits == 16 else 0
    )  # rounded or cut off
    if bits != 16:  # OpenCV leaves the low bits of 16-bit pixels zero
        assert np.array_equal(pictures.by_opencv(data), expected)
    with pytest.raises(OvsegError) as caught:
        image.decode(data[: -len(body) // 2], LIMIT)
    assert caught.value.code == "image_unreadable"


def test_a_bmp_with_rows_from_top_to_bottom_is_upright() -> None:
    height, width = GREY.shape
    data = pictures.bmp((width, -height), 24, pictures.bmp_rows(BGR[::-1]))
    assert np.array_equal(image.decode(data, LIMIT), SCENE)


@pytest.mark.parametrize("compression", [3, 6])
@pytest.mark.parametrize(
    ("bits", "widths", "shifts"),
    [
        (16, (5, 6, 5), (11, 5, 0)),
        (16, (5, 6, 5), (0, 5, 11)),
        (16, (4, 4, 4), (8, 4, 0)),
        (16, (1, 5, 5), (15, 5, 0)),
        (32, (8, 8, 8), (0, 8, 16)),
        (32, (8, 8, 8), (24, 16, 8)),
        (32, (8, 8, 8), (8, 0, 24)),
        (32, (10, 10, 10), (22, 12, 2)),
        (32, (11, 11, 10), (0, 11, 22)),
    ],
)
def test_a_bmp_with_masks_has_the_pixels_that_were_written(
    bits: int, widths: tuple[int, ...], shifts: tuple[int, ...], compression: int
) -> None:
    levels = [pictures.wide(SCENE)[..., i].astype(np.uint64) >> (16 - width) for i, width in enumerate(widths)]
    shifted = [level << shift for level, shift in zip(levels, shifts, strict=True)]
    packed = np.sum(shifted, axis=0).astype(f"<u{bits // 8}")
    masks = [((1 << width) - 1) << shift for width, shift in zip(widths, shifts, strict=True)]
    behind = struct.pack("<III", *masks) + bytes(4 if compression == 6 else 0)
    data = pictures.bmp((SCENE.shape[1], SCENE.shape[0]), bits, pictures.bmp_rows(packed), compression, behind)
    expected = np.dstack([level * 255 / ((1 << width) - 1) for level, width in zip(levels, widths, strict=True)])
    assert np.abs(image.decode(data, LIMIT) - expected).max() <= (0.5 if max(widths) <= 8 else 1)


@pytest.mark.parametrize("mask", [0, 0xF0F, 0x10000])
def test_a_bmp_with_a_mask_of_separate_bits_is_refused(mask: int) -> None:
    with pytest.raises(OvsegError, match="colour mask") as caught:
        image.decode(pictures.bmp((2, 2), 16, bytes(16), 3, struct.pack("<III", 0xF800, 0x7E0, mask)), LIMIT)
    assert caught.value.code == "image_format_unsupported"
