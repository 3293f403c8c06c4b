"""Sound files that other programs read, and where a picture's turn and first page come from."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from ovseg_core.image import orientation as orientation_of
from ovseg_core.paddlex import inputs
from tests import pictures

LIMIT = 80_000_000
SCENE = pictures.scene(40, 60)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
EXIF_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def png(before: bytes = b"", **options: object) -> bytes:
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
def test_what_lies_beside_a_png_s_pixels_does_not_matter(chunk: bytes) -> None:
    assert np.array_equal(image.decode(png(chunk), LIMIT), SCENE)


@pytest.mark.parametrize("is_interlaced", [False, True])
@pytest.mark.parametrize("bottom", [0, 200])
def test_a_png_with_fewer_rows_than_it_says_is_an_error(bottom: int, is_interlaced: bool) -> None:
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
def test_of_an_animated_png_the_first_frame_is_taken_as_in_browsers(is_default_in_animation: bool) -> None:
    hidden, first, second = (Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue"))
    data = pictures.encoded(
        hidden, "PNG", save_all=True, append_images=[first, second], default_image=not is_default_in_animation
    )
    assert tuple(image.decode(data, LIMIT)[5, 5]) == ((255, 0, 0) if is_default_in_animation else (0, 255, 0))


def xmp_png() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return pictures.encoded(Image.fromarray(SCENE), "PNG", pnginfo=info)


def raw_profile_png() -> bytes:
    """EXIF as ImageMagick wrote it before there was a chunk for it; OpenCV and browsers do not look there."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(EXIF_6):8}\n{EXIF_6.hex()}\n")
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
def test_an_orientation_outside_of_exif_turns_nothing_as_in_opencv(data: bytes, tmp_path: Path) -> None:
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert header.read(data, LIMIT).image_hw == image.decode(data, LIMIT).shape[:2] == by_opencv.shape[:2] == (40, 60)
    (tmp_path / "picture").write_bytes(data)
    [[page]] = inputs.batches(tmp_path / "picture")
    assert page.pixels.shape[:2] == (40, 60)


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_png_s_exif_turns_it_wherever_its_chunk_is(place: str) -> None:
    chunk = pictures.png_chunk(b"eXIf", EXIF_6[6:])
    data = png(chunk) if place == "before" else png()[:-12] + chunk + pictures.png_chunk(b"IEND", b"")
    assert header.read(data, LIMIT).image_hw == (60, 40)
    assert np.array_equal(image.decode(data, LIMIT), np.rot90(SCENE, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["AVIF", "HEIC"])
def test_avif_and_heic_are_turned_by_their_own_boxes(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = pictures.scene(64, 96)
    buffer = io.BytesIO()
    if file_format == "AVIF":
        Image.fromarray(pixels).save(buffer, "AVIF", exif=exif, quality=95)
    else:
        import pillow_heif

        pillow_heif.register_heif_opener()
        Image.fromarray(pixels).save(buffer, "HEIF", exif=exif, quality=95)
    data = buffer.getvalue()
    upright = image.decode(data, LIMIT)
    assert header.read(data, LIMIT).image_hw == upright.shape[:2]
    with Image.open(buffer) as reference:
        expected = np.asarray(reference.convert("RGB"))
    if file_format == "AVIF":
        expected = orientation_of.upright(expected, orientation)
    assert np.array_equal(upright, expected)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_page_of_a_tiff_is_a_result_of_the_library(order: str, big: bool, tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    pages = [pictures.scene(30 + i, 40, seed=i) for i in range(3)]
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        for page in pages:
            file.write(page, photometric="rgb", compression="lzw", metadata=None)
    found = [page for [page] in inputs.batches(path)]
    assert [page.index for page in found] == [0, 1, 2]
    for page, expected in zip(found, pages, strict=True):
        assert np.array_equal(page.pixels, expected)
    assert np.array_equal(image.decode(path.read_bytes(), LIMIT), pages[0])


def test_a_page_that_is_not_supported_is_told_after_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(SCENE, photometric="rgb", metadata=None)
        file.write(SCENE[..., 0].astype(np.float32), metadata=None)
    [page], [unreadable] = inputs.batches(path)
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
    assert unreadable.error.code == code
    assert "a.pdf" in str(unreadable.error)


def test_a_tiff_whose_pages_go_in_a_circle_is_an_error() -> None:
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
    if packing:  # of unpacked samples, any are right
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
def test_other_files_are_told_by_what_they_are(data: bytes) -> None:
    with pytest.raises(OvsegError) as caught:
        header.read(data, LIMIT)
    assert caught.value.code == "image_format_unsupported"
    assert "0x" not in caught.value.message


def test_no_mutilated_file_raises_anything_but_our_error_or_names_a_library() -> None:
    random = np.random.default_rng(0)
    picture = Image.fromarray(SCENE)
    files = [pictures.encoded(picture, name) for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "AVIF")]
    files.append(pictures.encoded(picture, "TIFF", compression="tiff_lzw"))
    for data in files:
        for _ in range(150):
            broken = bytearray(data)
            for at in random.integers(0, len(data), random.integers(1, 6)):
                broken[at] = random.integers(0, 256)
            if random.random() < 0.3:
                del broken[random.integers(0, len(data)) :]
            error = _refusal(bytes(broken))
            if error is not None:
                assert error.field == "image"
                assert not any(word in error.message for word in ("0x7", "BytesIO", "PIL", "cv2", "<_io", "MAX_"))


def _refusal(data: bytes) -> OvsegError | None:
    try:
        image.decode(data, LIMIT)
    except OvsegError as error:
        return error
    return None
