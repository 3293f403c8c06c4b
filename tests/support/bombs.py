"""Small image files that take long, or much memory, to read.

All are valid, or valid enough to keep a reader busy. Each comment gives what the file costs Pillow 13 alone, in CPU
time and memory on one core of 2024, and why. The arguments make it cheaper or more expensive. Some cost little and are
kept, because another version or reader may be worse.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SHORT, TIFF_LONG = 3, 4


def bmp_rle_ends_of_line(width: int = 80_000_000) -> bytes:
    # 1,100 bytes, 13 s, 0.4 GB: Pillow fills the rest of each line one byte at a time, in Python.
    return _bmp_rle(width, 1, b"\x01\x00\x00\x00" + b"\x00\x00" * 8)


def bmp_rle_empty_runs(count: int = 9_000_000) -> bytes:
    # 18 MB, 4.5 s: runs beyond the end of the first line add nothing, but each is read in Python.
    return _bmp_rle(4, 2, b"\xff\x00" * count)


def jpeg_progressive_scans(width: int = 8900, height: int = 8900, scans: int = 1000) -> bytes:
    # 0.3 MB, 7 s, 0.4 GB: each scan visits all coefficients, and takes 150 bytes. All are first scans to full
    # precision. Any number of these may follow one another, so a decoder has no reason to warn.
    out = io.BytesIO()
    Image.new("L", (16, 16), 128).save(out, "JPEG", progressive=True)
    parts = _jpeg_segments(out.getvalue())
    head = [_with_jpeg_size(part, width, height) for part in parts if part[1] in (0xDB, 0xC2)]
    blocks = -(-width // 8) * -(-height // 8)
    # Huffman tables with one code, of one bit: DC "no difference"; AC "end of a band of 2^14 blocks", with 14 bits.
    tables = _jpeg_table(0x00, 0x00) + _jpeg_table(0x10, 0xE0)
    dc = _jpeg_scan(0, 0, _bits("0" * blocks))
    runs, rest = divmod(blocks, 2**14)
    ac_bits = ("0" + "0" * 14) * runs
    if rest:  # the last run must not extend beyond the image: a decoder allows no excess
        ac_bits += "0" + "0" * 14
    return b"\xff\xd8" + b"".join(head) + tables + dc + _jpeg_scan(1, 63, _bits(ac_bits)) * scans + b"\xff\xd9"


def jpeg_comments(count: int = 2_000_000) -> bytes:
    # 8 MB, 2 s, 0.1 GB: Pillow reads each empty comment in Python, before any pixel.
    return _after_soi(b"\xff\xfe\x00\x02" * count)


def jpeg_fill_bytes(count: int = 15_000_000) -> bytes:
    # 15 MB, 7 s: any number of 0xFF may precede a marker; Pillow reads them one at a time, before any pixel.
    return _after_soi(b"\xff" * count)


def ppm_comments(count: int = 400_000) -> bytes:
    # 0.8 MB, 7 s: in a plain PPM, Pillow searches the rest of its buffer again after each comment, so the time grows
    # with the square of their number.
    return b"P3 100 100 255\n" + b"#\n" * count + b"0 " * 30_000


def ppm_spaces(count: int = 15_000_000) -> bytes:
    # 15 MB, 3 s: Pillow reads a header one byte at a time, in Python.
    return b"P6" + b" " * count + b"1 1 255\n\0\0\0"


def tiff_tile(side: int = 32_768) -> bytes:
    # 1 MB, 3 s, 1 GB: an image of 16 x 16 in a tile of 32,768 x 32,768, which no limit of pixels counts.
    squeeze = zlib.compressobj(9)
    row = bytes(side)
    tile = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    tags = [(256, TIFF_LONG, [16]), (257, TIFF_LONG, [16]), (258, TIFF_SHORT, [8]), (259, TIFF_SHORT, [8])]
    tags += [(262, TIFF_SHORT, [1]), (277, TIFF_SHORT, [1]), (322, TIFF_LONG, [side]), (323, TIFF_LONG, [side])]
    return _tiff(tags, 324, 325, [tile])


def tiff_strips(count: int = 1_500_000) -> bytes:
    # 12 MB, 9.5 s, 0.4 GB: an image one pixel wide with a strip for each line, all of the same byte. Each runs Python
    # code.
    tags = [(256, TIFF_LONG, [1]), (257, TIFF_LONG, [count]), (258, TIFF_SHORT, [8]), (259, TIFF_SHORT, [1])]
    tags += [(262, TIFF_SHORT, [1]), (277, TIFF_SHORT, [1]), (278, TIFF_LONG, [1])]
    return _tiff(tags, 273, 279, [b"\x80"], count)


def tiff_page_loop() -> bytes:
    # 124 bytes, costs nothing: the first page names itself as the next page, so counting the pages never ends.
    data = bytearray(tiff_strips(1))
    entries = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + 12 * entries, 8)
    return bytes(data)


def tiff_shared_tags(count: int = 4000, size: int = 1_000_000) -> bytes:
    # 1 MB, costs nothing: `count` private tags share one value, and a reader that copies it for each uses 4 GB.
    tags = [(256, TIFF_LONG, [1]), (257, TIFF_LONG, [1]), (258, TIFF_SHORT, [8]), (259, TIFF_SHORT, [1])]
    tags += [(262, TIFF_SHORT, [1]), (277, TIFF_SHORT, [1]), (278, TIFF_LONG, [1])]
    data = bytearray(_tiff([*tags, *((40_000 + i, TIFF_LONG, [0]) for i in range(count))], 273, 279, [b"\x80"]))
    _share_tags(data, 8, count, size)
    return bytes(data) + bytes(size)


def jpeg_exif_shared_tags(count: int = 2600) -> bytes:
    # 64 kB, costs nothing: like tiff_shared_tags, in the EXIF of a JPEG.
    entries = b"".join(struct.pack("<HHII", 40_000 + i, TIFF_LONG, 1, 0) for i in range(count))
    exif = bytearray(b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 0))
    size = 65_000 - len(exif)
    _share_tags(exif, 8, count, size)
    segment = b"Exif\0\0" + exif + bytes(size)
    return _after_soi(b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment)


def png_exif_shared_tags(count: int = 4000, size: int = 1_000_000) -> bytes:
    # 1 MB, costs nothing: like tiff_shared_tags, in the EXIF of a PNG, which may have any length.
    entries = b"".join(struct.pack("<HHII", 40_000 + i, TIFF_LONG, 1, 0) for i in range(count))
    exif = bytearray(b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 0))
    _share_tags(exif, 8, count, size)
    return _png(_png_chunk(b"eXIf", bytes(exif) + bytes(size)))


def tiff_long_tag(count: int = 4_500_000) -> bytes:
    # 18 MB, 0.1 s: a private tag of `count` numbers; as Python objects they take 0.2 GB.
    tags = [(256, TIFF_LONG, [1]), (257, TIFF_LONG, [1]), (258, TIFF_SHORT, [8]), (259, TIFF_SHORT, [1])]
    tags += [(262, TIFF_SHORT, [1]), (277, TIFF_SHORT, [1]), (278, TIFF_LONG, [1]), (65_000, TIFF_LONG, [7] * count)]
    return _tiff(tags, 273, 279, [b"\x80"])


def webp_flat(width: int = 8900, height: int = 8900) -> bytes:
    # 38 bytes, 1.2 s, 1.2 GB: lossless and of one colour, so a pixel takes no bits.
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 30)).save(out, "WEBP", lossless=True)
    data = bytearray(out.getvalue())
    at = data.index(b"VP8L") + 9
    bits = struct.unpack_from("<I", data, at)[0] & ~0xFFFFFFF
    struct.pack_into("<I", data, at, bits | (width - 1) | (height - 1) << 14)
    return bytes(data)


def webp_frames(count: int = 200_000) -> bytes:
    # 10 MB, costs nothing: a one-pixel animation with `count` frames; a reader needs only the first.
    out = io.BytesIO()
    images = [Image.new("RGB", (1, 1), colour) for colour in ("red", "blue")]
    images[0].save(out, "WEBP", save_all=True, append_images=images[1:], lossless=True)
    data = out.getvalue()
    at = data.index(b"ANMF")
    frame = data[at : at + 8 + struct.unpack_from("<I", data, at + 4)[0]]
    body = data[8:at] + frame * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_texts(count: int = 60, megabytes: int = 1) -> bytes:
    # 60 kB, 0.2 s: `count` compressed texts of a megabyte each.
    text = b"k\0\0" + zlib.compress(bytes(megabytes * 2**20), 9)
    return _png(_png_chunk(b"zTXt", text) * count)


def png_profile(megabytes: int = 1000) -> bytes:
    # 1 MB, costs nothing: a colour profile that has a gigabyte when unpacked; Pillow refuses it.
    squeeze = zlib.compressobj(9)
    data = b"".join(squeeze.compress(bytes(2**20)) for _ in range(megabytes)) + squeeze.flush()
    return _png(_png_chunk(b"iCCP", b"icc\0\0" + data))


def png_chunks(count: int = 1_000_000) -> bytes:
    # 12 MB, 2.6 s, 0.1 GB: empty chunks without a meaning, read in Python, before any pixel.
    return _png(_png_chunk(b"prVt", b"") * count)


def png_empty_data(count: int = 1_000_000) -> bytes:
    # 12 MB, 1 s: the pixels follow a million empty chunks of data.
    return _png(b"", _png_chunk(b"IDAT", b"") * count)


def apng_frames(count: int = 100_000) -> bytes:
    # 6 MB, costs nothing: an animation with `count` frames; a reader needs only the first.
    data = zlib.compress(b"\0\x80")
    chunks = [_png_chunk(b"acTL", struct.pack(">II", count, 0)), _apng_control(0), _png_chunk(b"IDAT", data)]
    for i in range(1, count):
        chunks += [_apng_control(2 * i - 1), _png_chunk(b"fdAT", struct.pack(">I", 2 * i) + data)]
    return _png(b"", b"".join(chunks[1:]), chunks[0])


EVERY: dict[str, Callable[[], bytes]] = {
    made.__name__: made
    for made in (
        bmp_rle_ends_of_line,
        bmp_rle_empty_runs,
        jpeg_progressive_scans,
        jpeg_comments,
        jpeg_fill_bytes,
        ppm_comments,
        ppm_spaces,
        tiff_tile,
        tiff_strips,
        tiff_page_loop,
        tiff_shared_tags,
        jpeg_exif_shared_tags,
        png_exif_shared_tags,
        tiff_long_tag,
        webp_flat,
        webp_frames,
        png_texts,
        png_profile,
        png_chunks,
        png_empty_data,
        apng_frames,
    )
}


def _bmp_rle(width: int, height: int, codes: bytes) -> bytes:
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    data = codes + b"\x00\x01"
    start = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0) + palette + data


def _bits(text: str) -> bytes:
    """Return entropy-coded bits: padded with ones, with a zero byte after each 0xFF."""
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")


def _jpeg_table(kind: int, symbol: int) -> bytes:
    return b"\xff\xc4" + struct.pack(">HB", 2 + 1 + 16 + 1, kind) + bytes([1, *[0] * 15, symbol])


def _jpeg_scan(first: int, last: int, data: bytes) -> bytes:
    return b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, first, last, 0) + data


def _jpeg_segments(data: bytes) -> list[bytes]:
    """The segments between the start of a JPEG and its first scan."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        found.append(data[at:end])
        at = end
    return found


def _with_jpeg_size(segment: bytes, width: int, height: int) -> bytes:
    is_frame = segment[1] == 0xC2
    return segment[:5] + struct.pack(">HH", height, width) + segment[9:] if is_frame else segment


def _after_soi(segments: bytes) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 30)).save(out, "JPEG")
    return out.getvalue()[:2] + segments + out.getvalue()[2:]


def _tiff(
    tags: Sequence[tuple[int, int, Sequence[int]]], offsets: int, counts: int, parts: Sequence[bytes], copies: int = 1
) -> bytes:
    """Return a little-endian TIFF whose tags `offsets` and `counts` list its parts, each `copies` times."""
    entries = [*tags, (offsets, TIFF_LONG, [0] * (len(parts) * copies))]
    entries.append((counts, TIFF_LONG, [len(part) for part in parts] * copies))
    entries.sort(key=lambda entry: entry[0])
    free = 8 + 2 + 12 * len(entries) + 4
    starts = [free]
    for part in parts:
        starts.append(starts[-1] + len(part) + len(part) % 2)
    free, far, directory = starts[-1], b"", struct.pack("<H", len(entries))
    for tag, kind, values in entries:
        numbers = starts[:-1] * copies if tag == offsets else list(values)
        data = struct.pack(f"<{len(numbers)}{'H' if kind == TIFF_SHORT else 'I'}", *numbers)
        if len(data) > 4:
            directory += struct.pack("<HHII", tag, kind, len(numbers), free + len(far))
            far += data + b"\0" * (len(data) % 2)
        else:
            directory += struct.pack("<HHI", tag, kind, len(numbers)) + data.ljust(4, b"\0")
    body = b"".join(part + b"\0" * (len(part) % 2) for part in parts)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + body + far


def _share_tags(tiff: bytearray, directory: int, count: int, size: int) -> None:
    """Let the last `count` tags of a directory share `size` bytes, which the caller adds to the end of the file."""
    entries = struct.unpack_from("<H", tiff, directory)[0]
    for i in range(entries - count, entries):
        struct.pack_into("<II", tiff, directory + 2 + 12 * i + 4, size // 4, len(tiff))


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(before: bytes, data: bytes = b"", first: bytes = b"") -> bytes:
    """Return a PNG of one grey pixel; `before` and `data` are chunks in front of the pixel's own data."""
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = _png_chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return PNG_SIGNATURE + header + first + before + data + pixels + _png_chunk(b"IEND", b"")


def _apng_control(number: int) -> bytes:
    return _png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 10, 0, 0))
