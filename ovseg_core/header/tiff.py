"""Read how a page of a TIFF is stored, and refuse what is not supported (TIFF 6.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ovseg_core.header import tiff_directory
from ovseg_core.header.head import Header, too_costly, unreadable, unsupported
from ovseg_core.header.tiff_directory import SIGNATURES, Directory

__all__ = ["SIGNATURES", "Page", "page", "pages", "read"]

# Tags.
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, BANDS, ROWS_PER_STRIP, STRIP_BYTES, PLANES, PREDICTOR = 273, 274, 277, 278, 279, 284, 317
COLOURS, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUBDIRECTORIES, INKS = 320, 322, 323, 324, 325, 330, 332
SAMPLE_FORMAT, JPEG_TABLES, SUBSAMPLING, DNG = 339, 347, 530, 50706
# Photometric interpretations.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
PHOTOMETRICS = {
    WHITE_IS_ZERO: ("WhiteIsZero", (1, 2, 4, 8, 16), 1),  # name, allowed bits per sample, minimum number of bands
    BLACK_IS_ZERO: ("BlackIsZero", (1, 2, 4, 8, 16), 1),
    RGB: ("RGB", (8, 16), 3),
    PALETTE: ("palette", (1, 2, 4, 8), 1),
    SEPARATED: ("CMYK", (8, 16), 4),
    YCBCR: ("YCbCr", (8,), 3),
    CIELAB: ("CIELab", (8,), 3),
}
# Compressions.
NONE, FAX4, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD = 1, 4, 5, 7, 8, 32773, 32946, 34925, 50000
PREDICTED = (LZW, DEFLATE, OLD_DEFLATE, LZMA, ZSTD)  # compressions that allow a predictor
COMPRESSIONS = (NONE, FAX4, JPEG, PACKBITS, *PREDICTED)
REDUCED, TRANSPARENCY = 1, 4  # bits of SUBFILE: a smaller version, or a transparency mask, of another page
CANON = b"CR\2"  # other TIFFs may have pixels there, but are unlikely to have these three bytes
KINDS = {1: "unsigned", 2: "signed", 3: "floating point", 5: "complex", 6: "complex"}
MOST_SEGMENTS = 400_000  # strips or tiles: 100 megapixels in tiles of 16 x 16
MOST_BYTES = 1 << 30  # for all samples: 178 megapixels of RGB with 16 bits
# Tiles may extend beyond the picture: together they may hold four times its pixels, or 32 million.
MOST_PADDING, LEAST_PADDED_PIXELS = 4, 32_000_000


@dataclass(frozen=True)
class Page:
    """`segment_hw` is the size of a strip or tile in pixels; with `is_separate`, each band has its own segments."""

    directory: Directory
    hw: tuple[int, int]
    bits: int  # per sample
    bands: int
    photometric: int
    compression: int
    is_separate: bool
    is_tiled: bool
    segment_hw: tuple[int, int]
    has_predictor: bool  # samples are stored as differences along rows
    orientation: int

    @property
    def grid_hw(self) -> tuple[int, int]:
        """The number of segments down and across."""
        return -(-self.hw[0] // self.segment_hw[0]), -(-self.hw[1] // self.segment_hw[1])

    @property
    def bands_together(self) -> int:
        """The number of samples of a pixel that are stored next to each other."""
        return 1 if self.is_separate else self.bands


def read(data: bytes) -> Header:
    directory = tiff_directory.first(data)
    if data[8:11] == CANON or directory.number(DNG):
        raise unsupported("RAW photos are not supported")
    if directory.value(SUBFILE, 0) & REDUCED and directory.number(SUBDIRECTORIES):
        raise unsupported("the first page of this TIFF is a thumbnail, as in RAW photos, which are not supported")
    return header_of(page(directory))


def pages(data: bytes) -> Iterator[Directory]:
    """Return the directories of the first picture and of all others, except for smaller versions and masks."""
    for i, directory in enumerate(tiff_directory.every(data)):
        if i == 0 or not directory.value(SUBFILE, 0) & (REDUCED | TRANSPARENCY):
            yield directory


def header_of(page: Page) -> Header:
    return Header("TIFF", page.hw, page.orientation)


def page(directory: Directory) -> Page:
    """Read a directory. Raises OvsegError `image_unreadable`, `image_format_unsupported`, `image_too_costly`."""
    height, width = directory.value(HEIGHT), directory.value(WIDTH)
    if min(height, width) <= 0:
        raise unreadable(f"the image has {width} x {height} pixels")
    is_tiled = directory.number(TILE_OFFSETS) > 0
    rows = directory.value(ROWS_PER_STRIP, height) or height
    segment_hw = (directory.value(TILE_HEIGHT), directory.value(TILE_WIDTH)) if is_tiled else (min(rows, height), width)
    if min(segment_hw) <= 0:
        raise unreadable("this TIFF has empty tiles")
    bands, orientation = directory.value(BANDS, 1), directory.value(ORIENTATION, 1)
    compression = directory.value(COMPRESSION, NONE)
    found = Page(
        directory=directory,
        hw=(height, width),
        bits=_alike(directory, BITS, bands, 1, "bits a sample"),
        bands=bands,
        photometric=directory.value(PHOTOMETRIC),
        compression=compression,
        is_separate=directory.value(PLANES, 1) == 2 and bands > 1,
        is_tiled=is_tiled,
        segment_hw=segment_hw,
        has_predictor=compression in PREDICTED and directory.value(PREDICTOR, 1) == 2,
        orientation=orientation if 1 <= orientation <= 8 else 1,
    )
    _check_samples(found)
    _check_colours(found)
    _check_coding(found)
    _check_cost(found)
    return found


def _alike(directory: Directory, tag: int, bands: int, default: int, what: str) -> int:
    """Return the value that all bands share."""
    values = set(directory.values(tag, min(bands, 256))) or {default}
    if len(values) > 1:
        raise unsupported(f"the bands of this TIFF differ in their {what}; supported are bands of one kind")
    return values.pop()


def _check_samples(page: Page) -> None:
    kind = _alike(page.directory, SAMPLE_FORMAT, page.bands, 1, "format")
    if kind not in (1, 4) or page.bits not in (1, 2, 4, 8, 16):  # 4 means unknown; libtiff reads it as unsigned
        name = KINDS.get(kind, "unsigned")
        raise unsupported(
            f"this TIFF has {page.bits}-bit {name} samples; supported are unsigned samples of 1, 2, 4, 8 and 16 bits"
        )


def _check_colours(page: Page) -> None:
    if page.photometric not in PHOTOMETRICS:
        names = ", ".join(name for name, _, _ in PHOTOMETRICS.values())
        raise unsupported(f"this TIFF has photometric interpretation {page.photometric}; supported are {names}")
    name, bits, least = PHOTOMETRICS[page.photometric]
    if page.bits not in bits:
        able = ", ".join(map(str, bits))
        raise unsupported(f"this TIFF is {name} with {page.bits} bits a sample; supported are {able}")
    if page.bands < least or (page.bands > 1 and page.bits < 8):
        raise unsupported(f"this TIFF is {name} with {page.bands} bands of {page.bits} bits, which is not supported")
    if page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and page.bands > 2:
        raise unsupported(
            f"this TIFF has {page.bands} bands and does not say that they are colours (its photometric interpretation "
            f"is {name}); supported are 1 band, 2 (grey and alpha), or RGB"
        )
    if page.photometric == SEPARATED and page.directory.value(INKS, 1) != 1:
        raise unsupported("this TIFF has inks other than CMYK, which are not supported")
    if page.photometric == YCBCR and page.compression != JPEG and page.directory.values(SUBSAMPLING, 2) != (1, 1):
        raise unsupported("this TIFF has subsampled YCbCr without JPEG compression, which is not supported")


def _check_coding(page: Page) -> None:
    if page.compression not in COMPRESSIONS:
        raise unsupported(
            f"this TIFF has compression {page.compression}; supported are none, LZW, Deflate, PackBits, JPEG, ZSTD, "
            "LZMA and CCITT group 4"
        )
    if page.compression == FAX4 and page.bits * page.bands != 1:
        raise unreadable("this TIFF has CCITT compression and more than one bit a pixel")
    if page.compression == JPEG:
        if page.bits != 8 or page.bands_together not in (1, 3, 4) or page.photometric in (CIELAB, PALETTE):
            what = f"{page.bands} bands of {page.bits} bits"
            raise unsupported(f"this TIFF has JPEG compression of {what}; supported are 1, 3 and 4 of 8 bits")
        if page.photometric == YCBCR and (page.is_separate or page.bands != 3):
            raise unsupported("this TIFF has YCbCr in separate planes or with alpha, which is not supported")
    predictor = page.directory.value(PREDICTOR, 1) if page.compression in PREDICTED else 1
    if predictor not in (1, 2) or (predictor == 2 and page.bits < 8):
        raise unsupported(f"this TIFF has predictor {predictor} of {page.bits}-bit samples, which is not supported")


def _check_cost(page: Page) -> None:
    (rows, columns), (height, width), (down, across) = page.segment_hw, page.hw, page.grid_hw
    segments = down * across * (page.bands if page.is_separate else 1)
    if segments > MOST_SEGMENTS:
        raise too_costly(f"this TIFF has {segments:,} strips or tiles; at most {MOST_SEGMENTS:,} are allowed")
    if page.directory.number(TILE_OFFSETS if page.is_tiled else STRIP_OFFSETS) < segments:
        raise unreadable(f"this TIFF should have {segments:,} strips or tiles, and has fewer")
    padded = down * rows * across * columns if page.is_tiled else height * width
    if padded > max(MOST_PADDING * height * width, LEAST_PADDED_PIXELS):
        raise too_costly(f"the tiles of this TIFF, {columns} x {rows} pixels, are too large for {width} x {height}")
    if padded * page.bands * page.bits // 8 > MOST_BYTES:
        raise too_costly(f"the samples of this TIFF have more than {MOST_BYTES:,} bytes")
