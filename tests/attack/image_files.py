"""Image files of every format that is accepted, and copies of them with changed bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from tests.attack import nasty
from tests.support import pictures

SIDE = 64

KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True}),
    ("L", "JPEG", {}),
    ("CMYK", "JPEG", {}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {}),
    ("1", "PNG", {}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "BMP", {}),
    ("P", "BMP", {}),
    ("RGB", "TIFF", {}),
    ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    ("RGB", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("RGB", "TIFF", {"compression": "jpeg"}),
    ("1", "TIFF", {"compression": "group4"}),
    ("RGB", "PPM", {}),
    ("L", "PPM", {}),
    ("RGB", "AVIF", {}),
)


def valid() -> list[bytes]:
    whole = Image.fromarray(pictures.views()[0]).resize((SIDE, SIDE))
    files = [pictures.encoded(whole.convert(mode), kind, **options) for mode, kind, options in KINDS]
    deep = Image.fromarray((np.asarray(whole.convert("L")).astype(np.uint16) << 8).astype(np.uint16))
    return [*files, pictures.encoded(deep, "PNG"), pictures.encoded(deep, "TIFF")]


def mutated(count: int, dice: random.Random) -> Iterator[bytes]:
    """Yield `count` files: most with changed bytes, some spliced from two formats."""
    files = valid()
    for _ in range(count):
        data = dice.choice(files)
        if dice.random() < 0.1:
            other = dice.choice(files)
            data = data[: dice.randrange(len(data))] + other[dice.randrange(len(other)) :]
        yield nasty.bytes_changed(data, dice)
