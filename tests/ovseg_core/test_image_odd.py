"""Unusual but valid files, damaged files, and the sources of a picture's orientation and pages."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from ovseg_core.image import orientation as orientation_of
from ovseg_core.paddlex import inputs
from ovseg_core.paddlex.inputs import Page, Unreadable
from tests.support import pictures
from tests.support.read_pages import pages_of

LIMIT = 80_000_000
SCENE = pictures.scene(40, 60)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def test_the_exif_of_a_webp_is_used_only_if_its_header_announces_it() -> None:
    data = bytearray(of_pillow("WEBP", exif=pictures.EXIF_6))
    assert image.decode(bytes(data), LIMIT).shape[:2] == (60, 40)
    data[20] &= ~0x08
    by_opencv = pictures.by_opencv(bytes(data))
    assert image.decode(bytes(data), LIMIT).shape[:2] == by_opencv.shape[:2] == (40, 60)


def xmp_png() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return pictures.encoded(Image.fromarray(SCENE), "PNG", pnginfo=info)


def raw_profile_png() -> bytes:
    """EXIF as ImageMagick wrote it before PNG had a chunk for it; OpenCV and browsers do not read it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(pictures.EXIF_6):8}\n{pictures.EXIF_6.hex()}\n")
    return pictures.encoded(Image.fromarray(SCENE), "PNG", pnginfo=info)


def of_pillow(file_format: str, **options: object) -> bytes:
    return pictures.encoded(Image.fromarray(SCENE), file_format, quality=90, **options)


@pytest.mark.parametrize(
    "data",
    [
        of_pillow("JPEG", xmp=XMP),
        of_pillow("WEBP", xmp=XMP),
        of_pillow("AVIF", xmp=XMP),
        of_pillow("TIFF", tiffinfo={700: XMP}),
        xmp_png(),
        raw_profile_png(),
    ],
    ids=["JPEG", "WEBP", "AVIF", "TIFF", "PNG", "PNG's text"],
)
def test_an_orientation_outside_exif_is_ignored_as_in_opencv(data: bytes, tmp_path: Path) -> None:
    by_opencv = pictures.by_opencv(data)
    assert header.read(data, LIMIT).image_hw == image.decode(data, LIMIT).shape[:2] == by_opencv.shape[:2] == (40, 60)
    (tmp_path / "picture").write_bytes(data)
    [page] = pages_of(tmp_path / "picture")
    assert page.pixels.shape[:2] == (40, 60)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_by_its_own_boxes(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = pictures.encoded(Image.fromarray(pictures.scene(64, 96)), "AVIF", exif=exif, quality=95)
    assert (b"irot" in data or b"imir" in data) == (orientation != 1)
    upright = image.decode(data, LIMIT)
    assert header.read(data, LIMIT).image_hw == upright.shape[:2]
    with Image.open(io.BytesIO(data)) as reference:
        expected = orientation_of.upright(np.asarray(reference.convert("RGB")), orientation)
    assert np.array_equal(upright, expected)


@pytest.mark.parametrize(
    ("box", "turn"),
    [
        (b"irot\0", lambda p: p),
        (b"irot\1", np.rot90),
        (b"irot\2", lambda p: np.rot90(p, 2)),
        (b"irot\3", lambda p: np.rot90(p, 3)),
        (b"imir\0", np.flipud),
        (b"imir\1", np.fliplr),
    ],
)
def test_a_heic_is_turned_by_its_own_boxes_as_phones_write_them(
    box: bytes, turn: Callable[[np.ndarray], np.ndarray]
) -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pictures.scene(64, 96))).save(buffer, quality=95)
    stored = bytearray(buffer.getvalue())
    # The encoder writes no box for the orientation. This box has the same length and little effect, so it is replaced.
    at = stored.index(b"colr")
    stored[at : at + 5] = b"free\0"
    turned = stored.copy()
    turned[at : at + 5] = box
    upright = image.decode(bytes(turned), LIMIT)
    assert header.read(bytes(turned), LIMIT).image_hw == upright.shape[:2]
    assert np.array_equal(upright, turn(image.decode(bytes(stored), LIMIT)))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_library_returns_a_result_for_every_page_of_a_tiff(
    order: Literal["<", ">"], big: bool, tmp_path: Path
) -> None:
    path = tmp_path / "pages.tif"
    pages = [pictures.scene(30 + i, 40, seed=i) for i in range(3)]
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        for page in pages:
            file.write(page, photometric="rgb", compression="lzw", metadata=None)
    found = pages_of(path)
    assert [page.index for page in found] == [0, 1, 2]
    for read, expected in zip(found, pages, strict=True):
        assert np.array_equal(read.pixels, expected)
    assert np.array_equal(image.decode(path.read_bytes(), LIMIT), pages[0])


def test_smaller_versions_and_masks_of_a_page_are_not_pages(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    with tifffile.TiffWriter(path) as file:
        for factor, subfile in ((1, 0), (2, 1), (4, 1), (1, 0)):
            file.write(SCENE[::factor, ::factor], photometric="rgb", subfiletype=subfile, metadata=None)
    assert [page.pixels.shape[:2] for page in pages_of(path)] == [(40, 60), (40, 60)]


def test_a_tiff_whose_first_pixels_spell_the_name_of_a_raw_format_is_read() -> None:
    values = SCENE[..., 0].copy()
    values[0, :2] = tuple(b"CR")
    data = pictures.tiff(values, 8, {})
    assert data[8:10] == b"CR"
    assert np.array_equal(image.decode(data, LIMIT)[..., 0], values)


def test_the_last_strip_of_a_tiff_may_be_padded() -> None:
    values = pictures.scene(101, 700)[..., 0]
    strips = [zlib.compress(values[:100].tobytes()), zlib.compress(values[100:].tobytes() + bytes(99 * 700))]
    data = pictures.tiff(values, 8, {259: 8, 278: 100}, strips)
    assert np.array_equal(image.decode(data, LIMIT)[..., 0], values)
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert by_opencv is not None
    assert np.array_equal(by_opencv, values)


def test_an_unsupported_page_is_reported_after_the_supported_ones(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(SCENE, photometric="rgb", metadata=None)
        file.write(SCENE[..., 0].astype(np.float32), metadata=None)
    [page], [unreadable] = inputs.batches(path)
    assert isinstance(page, Page)
    assert isinstance(unreadable, Unreadable)
    assert np.array_equal(page.pixels, SCENE)
    assert "pages.tif" in str(unreadable.error)
    assert "floating point" in str(unreadable.error)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%PDF-1.7\nbroken", "image_unreadable"),
        (
            b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
            b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 14400 14400]>>endobj trailer<</Root 1 0 R>>",
            "image_too_many_pixels",
        ),
    ],
)
def test_a_pdf_that_is_broken_or_huge_is_our_error(data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    [[unreadable]] = inputs.batches(tmp_path / "a.pdf")
    assert isinstance(unreadable, Unreadable)
    assert isinstance(unreadable.error, OvsegError)
    assert unreadable.error.code == code
    assert "a.pdf" in str(unreadable.error)


def test_a_tiff_with_a_cycle_of_pages_is_an_error() -> None:
    data = bytearray(pictures.tiff(SCENE[..., 0], 8, {}))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    with pytest.raises(OvsegError, match="circle"):
        list(image.pages(bytes(data), LIMIT))


@pytest.mark.parametrize(
    "packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma", "group4", "jpeg", None]
)
def test_a_tiff_whose_data_is_damaged_is_an_error(packing: str | None) -> None:
    picture = Image.fromarray(SCENE[..., 0])
    data = bytearray(
        pictures.encoded(picture.convert("1") if packing == "group4" else picture, "TIFF", compression=packing)
    )
    page = tifffile.TiffFile(io.BytesIO(bytes(data))).pages[0]
    start, length = page.dataoffsets[0], page.databytecounts[0]
    broken = bytearray(data)
    broken[start + length // 2 : start + length] = bytes(length - length // 2)
    if packing:  # unpacked samples can have any value
        with pytest.raises(OvsegError) as caught:
            image.decode(bytes(broken), LIMIT)
        assert caught.value.code == "image_unreadable"
    with pytest.raises(OvsegError):
        image.decode(bytes(data[: start + length // 2]) + bytes(10), LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40),
        b"II*\0\x10\0\0\0CR\x02\0" + bytes(400),
        b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20),
        b"8BPS\0\1" + bytes(30),
    ],
)
def test_other_kinds_of_files_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(OvsegError) as caught:
        header.read(data, LIMIT)
    assert caught.value.code == "image_format_unsupported"
    assert "0x" not in caught.value.message


def test_a_damaged_file_raises_only_our_error_and_its_message_names_no_library() -> None:
    random = np.random.default_rng(0)
    picture = Image.fromarray(SCENE)
    files = [pictures.encoded(picture, name) for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "AVIF")]
    files.append(pictures.encoded(picture, "TIFF", compression="tiff_lzw"))
    refused = 0
    for data in files:
        for _ in range(150):
            broken = bytearray(data)
            for at in random.integers(0, len(data), random.integers(1, 6)):
                broken[at] = random.integers(0, 256)
            if random.random() < 0.3:
                del broken[random.integers(0, len(data)) :]
            error = _refusal(bytes(broken))
            if error is not None:
                refused += 1
                assert error.field == "image"
                assert not any(word in error.message for word in ("0x7", "BytesIO", "PIL", "cv2", "<_io", "MAX_"))
    assert refused > 300  # of 1,200


def _refusal(data: bytes) -> OvsegError | None:
    try:
        image.decode(data, LIMIT)
    except OvsegError as error:
        return error
    return None
