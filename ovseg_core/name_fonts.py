"""Fonts for names on pictures: Latin, Greek, Cyrillic, Chinese, Japanese and Korean with the extra `fonts`.

Without it there is Pillow's own font, which has ASCII only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import resources
from importlib.util import find_spec

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

MEDIUM = 500  # a weight that is readable when it is small
SIMPLIFIED = 2  # of the faces of Noto Sans CJK the one with the shapes of simplified Chinese
MISSING = "\U0010ffff"  # no font has this character; each font draws its sign for a missing character


def shown(name: str) -> str | None:
    """Return the name as it can be drawn, or None if it is empty or no font has all of its characters."""
    text = " ".join(unicodedata.normalize("NFC", name).split())
    return text if text and _maker(text) else None


def font(text: str, size: int) -> Font:
    """Return a font of this size, in pixels, that has all characters of a text from `shown`."""
    make = _maker(text)
    assert make is not None
    return make(size)


def has(font: Font, character: str) -> bool:
    """True if the font has a glyph for the character, or the character is a space."""
    return character == " " or _drawn(font, character) != _drawn(font, MISSING)


def _maker(text: str) -> Callable[[int], Font] | None:
    """Return the function that makes the first font with all characters of a text; None if no font has all."""
    return next((make for make in _makers() if all(_covers(make, character) for character in text)), None)


@lru_cache(10_000)
def _covers(make: Callable[[int], Font], character: str) -> bool:
    return has(make(16), character)


@cache
def _makers() -> tuple[Callable[[int], Font], ...]:
    if find_spec("manimgx_fonts") is None or find_spec("manimgx_fonts_cjk") is None:
        return (_default,)
    return (_noto_sans, _noto_sans_cjk)


@lru_cache(8)
def _default(size: int) -> Font:
    made = ImageFont.load_default(size)
    assert isinstance(made, Font)  # because the size is given
    return made


@lru_cache(8)
def _noto_sans(size: int) -> Font:
    return _variable("manimgx_fonts", "NotoSans[wght].ttf", size)


@lru_cache(8)
def _noto_sans_cjk(size: int) -> Font:
    return _variable("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", size, SIMPLIFIED)


def _variable(package: str, name: str, size: int, face: int = 0) -> Font:
    made = ImageFont.truetype(str(resources.files(package) / name), size, face)
    made.set_variation_by_axes([MEDIUM])
    return made


def _drawn(font: Font, character: str) -> tuple[bytes, tuple[int, int]]:
    mask = font.getmask(character)
    return bytes(mask), mask.size
