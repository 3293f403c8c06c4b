"""Every supported kind of file, compared with other decoders."""

from __future__ import annotations

import io
import itertools
import sys
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from ovseg_core.header import png as png_header
from tests.support import pictures

LIMIT = 80_000_000
SCENE = pictures.scene(61, 83)  # odd sides, so that no row or tile ends evenly
GREY = SCENE[..., 1]


def tiff(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    pixels = image.decode(data, LIMIT)
    assert header.read(data, LIMIT).image_hw == pixels.shape[:2]
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return pixels


LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "one strip": {},
    "tiles": {"tile": (32, 48)},
}
PACKINGS = [None, "lzw", "deflate", "packbits", "zstd", "lzma"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_tiff_has_the_pixels_that_tifffile_reads(packing: str | None, layout: str, order: str) -> None:
    level = {"compressionargs": {"level": 0}} if packing == "lzma" else {}  # it is slow
    options: dict[str, Any] = {"compression": packing, "byteorder": order, "metadata": None, **LAYOUTS[layout], **level}
    predictors = (None, True) if packing in ("lzw", "deflate", "zstd", "lzma") else (None,)
    for predictor, big, deep, kind in itertools.product(predictors, (False, True), (False, True), KINDS):
        values, settings, expected = KINDS[kind](pictures.wide(SCENE) if deep else SCENE)
        data = tiff(values, predictor=predictor, bigtiff=big, **options, **settings)
        assert np.array_equal(tifffile.imread(io.BytesIO(data)), values)
        assert np.array_equal(decoded(data), expected), (kind, predictor, big, deep)


def _high(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8)


def _triple(values: np.ndarray) -> np.ndarray:
    return np.repeat(_high(values)[..., None], 3, axis=2)


# The values to write, the options to write them with, and the pixels to read.
KINDS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, dict[str, Any], np.ndarray]]] = {
    "rgb": lambda v: (v, {"photometric": "rgb", "planarconfig": "contig"}, _high(v)),
    "planes": lambda v: (np.moveaxis(v, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}, _high(v)),
    "rgba": lambda v: (
        np.dstack([v, v[..., :1]]),
        {"photometric": "rgb", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        _high(v),
    ),
    "five bands, three of them colours": lambda v: (
        np.dstack([v, v[..., :2]]),
        {"photometric": "rgb", "planarconfig": "contig", "extrasamples": ["unspecified"] * 2},
        _high(v),
    ),
    "grey": lambda v: (v[..., 1], {"photometric": "minisblack"}, _triple(v[..., 1])),
    "white is zero": lambda v: (v[..., 1], {"photometric": "miniswhite"}, 255 - _triple(v[..., 1])),
    "grey and alpha": lambda v: (
        v[..., :2],
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        _triple(v[..., 0]),
    ),
}


@pytest.mark.parametrize("packing", ["none", "lzw", "deflate", "packbits", "group4"])
@pytest.mark.parametrize("is_white_zero", [False, True])
def test_a_tiff_of_one_bit_has_the_pixels_that_opencv_reads(is_white_zero: bool, packing: str) -> None:
    bits = Image.fromarray(GREY > 128)
    name = {"none": "raw", "lzw": "tiff_lzw", "deflate": "tiff_deflate"}.get(packing, packing)
    data = pictures.encoded(bits, "TIFF", compression=name, tiffinfo={262: 0 if is_white_zero else 1})
    pixels = decoded(data)
    assert set(np.unique(pixels)) == {0, 255}
    assert np.array_equal(pixels, pictures.by_opencv(data))


def test_a_tiff_of_cmyk_is_converted_as_opencv_does() -> None:
    cmyk = np.asarray(Image.fromarray(SCENE).convert("CMYK")).copy()
    cmyk[..., 3] = GREY // 3
    for values in (cmyk, pictures.wide(cmyk)):
        data = tiff(values, photometric="separated", planarconfig="contig", metadata=None)
        ink = cmyk.astype(float)
        expected = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
        assert np.abs(decoded(data) - expected).max() <= 1


@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_a_tiff_of_jpegs_has_the_pixels_that_opencv_reads(tile: tuple[int, int] | None) -> None:
    for photometric, values in (("ycbcr", SCENE), ("rgb", SCENE), ("minisblack", GREY)):
        data = tiff(values, photometric=photometric, compression="jpeg", tile=tile, rowsperstrip=None if tile else 16)
        pixels, expected = decoded(data).astype(int), pictures.by_opencv(data).astype(int)
        assert np.abs(pixels - expected).max() <= (6 if photometric == "ycbcr" else 0), photometric


def test_a_tiff_in_lab_is_converted_as_colour_management_does() -> None:
    data = pictures.encoded(_lab(), "TIFF")
    assert np.array_equal(decoded(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert np.abs(decoded(data).astype(int) - SCENE).mean() < 3


def _lab() -> Image.Image:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(Image.fromarray(SCENE), srgb, lab, outputMode="LAB")
    assert picture is not None
    return picture


def _packed_tiff(values: np.ndarray, bits: int, is_deflated: bool, tags: dict[int, int | list[int]]) -> bytes:
    plain = pictures.tiff(values, bits, {})
    strips = [plain[8 : 8 + len(values) * -(-values.shape[1] * bits // 8)]]
    if is_deflated:
        strips, tags = [zlib.compress(strips[0])], {259: 8, **tags}
    return pictures.tiff(values, bits, tags, strips)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("is_deflated", [False, True])
def test_a_tiff_with_a_palette_has_its_colours(is_deflated: bool, bits: int) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (1 << bits, 3), dtype=np.uint8)
    values = GREY >> (8 - bits)
    for scale in (257, 1):  # some programs write 8 bits where 16 belong
        tags: dict[int, int | list[int]] = {262: 3, 320: (colours.T.astype(int) * scale).ravel().tolist()}
        assert np.array_equal(decoded(_packed_tiff(values, bits, is_deflated, tags)), colours[values])


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("is_deflated", [False, True])
def test_a_tiff_of_a_few_bits_is_scaled_from_black_to_white(is_deflated: bool, bits: int) -> None:
    values = GREY >> (8 - bits)
    for photometric, black in ((1, 0), (0, 255)):
        expected = np.abs(black - (values.astype(int) * 255 // ((1 << bits) - 1)))
        pixels = decoded(_packed_tiff(values, bits, is_deflated, {262: photometric}))
        assert np.array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (GREY.astype(np.float32) / 255, {}, "32-bit floating point samples"),
        (GREY.astype(np.float32), {"compression": "deflate", "predictor": True}, "32-bit floating point samples"),
        (GREY.astype(np.float16), {}, "16-bit floating point samples"),
        (GREY.astype(np.float64), {}, "64-bit floating point samples"),
        (GREY.astype(np.int8), {}, "8-bit signed samples"),
        (GREY.astype(np.int16), {}, "16-bit signed samples"),
        (GREY.astype(np.uint32), {}, "32-bit unsigned samples"),
        (GREY.astype(np.complex64), {}, "64-bit complex samples"),
        (SCENE, {"photometric": "minisblack", "planarconfig": "contig"}, "3 bands and does not say that they are colo"),
        (np.dstack([SCENE, SCENE[..., :2]]), {"photometric": "minisblack", "planarconfig": "contig"}, "has 5 bands"),
        (SCENE, {"compression": "webp"}, "compression 50001"),
        (GREY.astype(np.uint8), {"compression": "lerc"}, "compression 34887"),
        (GREY, {"photometric": "cfa"}, "photometric interpretation 32803"),
    ],
)
def test_an_unsupported_tiff_is_refused_with_the_reason(
    values: np.ndarray, options: dict[str, Any], words: str
) -> None:
    for big in (False, True):
        data = tiff(values, bigtiff=big, metadata=None, **options)
        for read in (header.read, image.decode):
            with pytest.raises(OvsegError, match=words) as caught:
                read(data, LIMIT)
            assert caught.value.code == "image_format_unsupported"
            assert "supported" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "depth"), [(kind, depth) for kind, depths in png_header.DEPTHS.items() for depth in depths]
)
@pytest.mark.parametrize("is_interlaced", [False, True])
def test_a_png_has_the_pixels_that_were_written(is_interlaced: bool, kind: int, depth: int) -> None:
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    samples = np.dstack([SCENE, SCENE[..., :1]])[..., :bands]
    samples = pictures.wide(samples) if depth == 16 else samples >> (8 - depth)
    colours = np.random.default_rng(depth).integers(0, 256, (1 << min(depth, 8), 3), dtype=np.uint8)
    data = pictures.png(samples, depth, kind, colours if kind == 3 else None, is_interlaced=is_interlaced)
    if kind == 3:
        expected = colours[samples[..., 0]]
    else:
        high = samples >> 8 if depth == 16 else samples.astype(int) * 255 // ((1 << depth) - 1)
        expected = high[..., :3] if kind in (2, 6) else np.repeat(high[..., :1], 3, axis=2)
    assert np.array_equal(decoded(data), expected)
    if depth < 16:
        assert np.array_equal(pictures.by_opencv(data), expected)


@pytest.mark.parametrize("maxval", [1, 2, 7, 100, 254, 255, 256, 1000, 1023, 4095, 32767, 65534, 65535])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("is_text", [False, True])
def test_a_pnm_is_scaled_by_its_largest_value(is_text: bool, bands: int, maxval: int) -> None:
    values = (pictures.wide(SCENE).astype(int) * (maxval + 1) >> 16)[..., :bands]
    magic = (b"P2" if bands == 1 else b"P3") if is_text else (b"P5" if bands == 1 else b"P6")
    head = b"%s\n# made by hand\n%d %d # w h\n%d\n" % (magic, values.shape[1], values.shape[0], maxval)
    raw = values.astype(np.uint8 if maxval < 256 else ">u2").tobytes()
    text = b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in values)
    pixels = decoded(head + (text if is_text else raw))
    assert np.abs(pixels - values * 255 / maxval).max() <= (0.5 if maxval < 256 else 1)
    assert (pixels.min(), pixels.max()) == (0, 255)
    if maxval == 65535:
        assert np.array_equal(pixels[..., :bands], values >> 8)


def test_a_pnm_may_have_comments_after_its_numbers_and_text_after_its_pixels() -> None:
    head = b"P%d#a\n# b\n83#c\n61 # d\n#\n255#e\n"
    text = b" ".join(b"%d" % value for value in SCENE.ravel())
    assert np.array_equal(decoded(head % 6 + SCENE.tobytes()), SCENE)
    for behind in (b"", b"\n\x1a", b" the end", b" 7 8\n"):
        assert np.array_equal(decoded(head % 3 + text + behind), SCENE)
    with pytest.raises(OvsegError, match="breaks off"):
        decoded(head % 3 + text.replace(b" ", b" x ", 1))


@pytest.mark.parametrize("is_text", [False, True])
def test_a_pbm_is_black_where_it_has_ones(is_text: bool) -> None:
    ink = (GREY > 128).astype(np.uint8)
    head = b"P%d\n%d %d\n" % (1 if is_text else 4, ink.shape[1], ink.shape[0])
    body = (
        b"\n".join(b"".join(b"%d" % v for v in row) for row in ink) if is_text else np.packbits(ink, axis=1).tobytes()
    )
    assert np.array_equal(decoded(head + body), np.repeat(255 * (1 - ink)[..., None], 3, axis=2))


@pytest.mark.parametrize("start", [b"Pf\n4 4\n-1\n", b"PF\n4 4\n-1\n", b"P7\nWIDTH 4\nHEIGHT 4\nDEPTH 1\nMAXVAL 255\n"])
def test_pfm_and_pam_are_refused_by_name(start: bytes) -> None:
    with pytest.raises(OvsegError, match=r"P(F|A)M is not supported; allowed: JPEG") as caught:
        image.decode(start + bytes(200), LIMIT)
    assert caught.value.code == "image_format_unsupported"


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}, {"quality": 80, "method": 0}])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_webp_has_the_pixels_that_pillow_reads(has_alpha: bool, options: dict[str, Any]) -> None:
    picture = Image.fromarray(SCENE)
    if has_alpha:
        picture.putalpha(Image.fromarray(GREY))
    data = pictures.encoded(picture, "WEBP", exact=True, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decoded(data), expected)
    moving = pictures.encoded(
        picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], exact=True, **options
    )
    assert np.array_equal(decoded(moving), np.asarray(Image.open(io.BytesIO(moving)).convert("RGB")))


@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "4:0:0"])
def test_an_avif_has_the_pixels_that_imagecodecs_reads(subsampling: str, has_alpha: bool) -> None:
    picture = Image.fromarray(SCENE)
    if has_alpha:
        picture.putalpha(Image.fromarray(GREY))
    data = pictures.encoded(picture, "AVIF", subsampling=subsampling, quality=80)
    expected = imagecodecs.avif_decode(data)
    expected = expected.reshape(*GREY.shape, -1)
    expected = expected[..., :3] if expected.shape[2] > 2 else expected[..., :1]
    # Not equal, because the decoders enlarge subsampled colours in different ways
    assert np.abs(decoded(data).astype(int) - expected).max() <= 3


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_of_more_bits_is_scaled_to_eight(bits: int) -> None:
    deep = pictures.wide(SCENE) >> (16 - bits)
    data = bytes(imagecodecs.avif_encode(deep, level=100, bitspersample=bits))
    assert np.abs(decoded(data).astype(int) - SCENE).max() <= 2


def test_a_heic_has_the_pixels_that_were_written() -> None:
    for picture in (SCENE, pictures.wide(SCENE)):
        mode = "RGB" if picture.dtype == np.uint8 else "RGB;16"
        buffer = io.BytesIO()
        file = pillow_heif.from_bytes(mode, (SCENE.shape[1], SCENE.shape[0]), picture.tobytes())
        file.save(buffer, quality=-1, chroma=444)
        assert np.abs(decoded(buffer.getvalue()).astype(int) - SCENE).max() <= 3


def test_a_heic_without_the_extra_is_refused_with_the_name_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(SCENE)).save(buffer)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(OvsegError, match="the extra heic") as caught:
        header.read(buffer.getvalue(), LIMIT)
    assert caught.value.code == "image_format_unsupported"
