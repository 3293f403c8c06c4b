"""Reads a body of JSON lines, line by line, so that a long body does not have to be in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from configs.settings import Settings
from gateway import strict_json
from ovseg_core.errors import OvsegError

# A request with a mask as a prompt has up to a megabyte; one with 1,000 boxes has 50 kB.
MAX_LINE_BYTES = 1_100_000


def lines(pieces: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a body that comes in pieces; None in place of a line that has more than MAX_LINE_BYTES."""
    start, size = bytearray(), 0  # of the line that is being read; of a line that is too long, only its size is kept
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            size += len(part)
            yield bytes(start) + part if size <= MAX_LINE_BYTES else None
            start, size = bytearray(), 0
        size += len(rest)
        if size <= MAX_LINE_BYTES:
            start += rest
        else:
            start.clear()
    if size:
        yield bytes(start) if size <= MAX_LINE_BYTES else None


def value(line: bytes | None, settings: Settings) -> Any:
    """Return the value of a line. Raises OvsegError `invalid_json`, `body_too_large`."""
    if line is None:
        raise OvsegError("body_too_large", f"the line has more than {MAX_LINE_BYTES:,} bytes")
    return strict_json.read(line, settings)
