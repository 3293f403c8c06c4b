"""Values that break parsers, and ways to put them into JSON."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

TEXTS = (
    "",
    " ",
    "\ud800",
    "a\udfffz",
    "\0",
    "\x1b[31mred",
    "line\r\nforged: yes",
    "\u202egnp.exe",
    "\u2028",
    "\u0663",  # the Arabic digit three
    "\uff11\uff12",  # full-width digits
    "1e400",
    "NaN",
    "-1",
    "../../etc/passwd",
    "http://127.0.0.1:6379/",
    "http://[",
    "http://[::ffff:0:127.0.0.1]/a.png",
    "HTTPS://example.invalid/a.png",
    "s3://bucket/key",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "data:,%00%ff",
    "%ff%00",
    "{{7*7}}",
    "é" * 50,
    "😀" * 5_000,
    "x" * 100_000,
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1e308, -1e308, 0.1, float("nan"), float("inf"), -0.0, 1e-320)


def value(dice: random.Random) -> Any:
    kind = dice.randrange(8)
    if kind < 3:
        return dice.choice(TEXTS)
    if kind < 5:
        return dice.choice(NUMBERS)
    return dice.choice([None, True, False, [], {}, [[]], {"": {}}, [None] * 2_000, _deep(dice.choice([5, 40, 900]))])


def _deep(levels: int) -> Any:
    inner: Any = 1
    for i in range(levels):
        inner = [inner] if i % 2 else {"a": inner}
    return inner


def changed(document: Any, dice: random.Random) -> Any:
    """Return a copy of a JSON document with one to three changes."""
    document = copy.deepcopy(document)
    for _ in range(dice.randint(1, 3)):
        holder = _somewhere(document, dice)
        if holder is None:
            return value(dice)
        _change(holder, dice)
    return document


def _somewhere(document: Any, dice: random.Random) -> Any:
    """Return a non-empty object or list at a random depth, or None if there is none."""
    place = document if isinstance(document, dict | list) and document else None
    while place and dice.random() < 0.6:
        inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, dict | list) and v]
        if not inner:
            break
        place = dice.choice(inner)
    return place


def _change(holder: Any, dice: random.Random) -> None:
    key = dice.choice(list(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
    match dice.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[dice.choice(TEXTS)] = value(dice)
        case 2 if isinstance(holder, list):
            holder += [holder[key]] * dice.choice([1, 50])
        case 3:
            holder[key] = [holder[key]]
        case _:
            holder[key] = value(dice)


def dumped(document: Any, dice: random.Random) -> bytes:
    """Write JSON: escaped or raw (with lone surrogates too, which is invalid UTF-8), sometimes with changed bytes."""
    text = json.dumps(document, ensure_ascii=dice.random() < 0.7)
    data = text.encode("utf-8", "surrogatepass")
    return bytes_changed(data, dice) if dice.random() < 0.1 else data


def bytes_changed(data: bytes, dice: random.Random) -> bytes:
    """Flip bytes; remove, duplicate or insert a piece; or cut off the end."""
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5, 30])):
        if not changed:
            break
        at, length = dice.randrange(len(changed)), dice.choice([1, 2, 4, 16, 200])
        match dice.randrange(6):
            case 0:
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                changed[at : at + length] = dice.randbytes(length)
            case _:
                if dice.random() < 0.2:
                    del changed[at:]
    return bytes(changed)
