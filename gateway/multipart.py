"""Splits a multipart/form-data body (RFC 7578) into its parts, as bytes, with Werkzeug's decoder.

Flask's own `request.form` silently drops text that is not UTF-8, the second part with the same name, and any error in
the format of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from ovseg_core.errors import OvsegError
from worker.job.client_text import brief

MAX_BOUNDARY = 200  # RFC 2046 allows 70; some clients write more
# The limit for bytes outside the parts' data: the parts' headers, and what comes before the first part and after the
# last. Real bodies have a few hundred such bytes; a header of megabytes would take half a minute to parse. The limit
# must be above the size of a piece (64 kB), which the decoder receives as a whole.
MAX_BYTES_OUTSIDE = 128 * 1024
MAX_PARTS = 1000  # with one name; a client with more prompts sends JSON


class Allowed(NamedTuple):
    """The names that parts may have: `main` and `fields`, each once, and `many`, each up to MAX_PARTS times."""

    main: Sequence[str]
    fields: Sequence[str] = ()
    many: Sequence[str] = ()


@dataclass
class Part:
    is_file: bool
    data: bytearray = field(default_factory=bytearray)


def parts(pieces: Iterator[bytes], boundary: str | None, allowed: Allowed) -> dict[str, list[Part]]:
    """Return the parts by name. A part that is not `allowed` is an error.

    The body is read to its end even after an error, because a client that is still sending does not read an answer.
    Raises OvsegError `invalid_multipart`, `unknown_field`, `invalid_request`.
    """
    try:
        return _parts(pieces, _checked(boundary), allowed)
    except ValueError as error:
        reason = "it ends before the last boundary" if "cannot parse beyond" in str(error) else str(error)
        problem = OvsegError("invalid_multipart", f"not multipart/form-data: {reason}")
    except RequestEntityTooLarge:
        message = (
            f"there are more than {MAX_BYTES_OUTSIDE:,} bytes outside the parts' data; "
            "does the boundary in Content-Type match the body?"
        )
        problem = OvsegError("invalid_multipart", message)
    except OvsegError as error:
        problem = error
    for _ in pieces:
        pass
    raise problem


def _parts(pieces: Iterable[bytes], boundary: bytes, allowed: Allowed) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    current = Part(is_file=False)
    for event in _events(pieces, boundary):
        if isinstance(event, (Field, File)):
            _check_name(event.name, found, allowed)
            current = Part(isinstance(event, File))
            found.setdefault(event.name, []).append(current)
        elif isinstance(event, Data):
            current.data += event.data
    return found


def _events(pieces: Iterable[bytes], boundary: bytes) -> Iterator[Event]:
    # The decoder yields a part's data as it arrives. It buffers everything else, up to this limit, until it is whole.
    decoder = MultipartDecoder(boundary, max_form_memory_size=MAX_BYTES_OUTSIDE)
    for piece in chain(pieces, [None]):
        decoder.receive_data(piece)
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
            if isinstance(event, Epilogue):
                return


def _check_name(name: str | None, found: dict[str, list[Part]], allowed: Allowed) -> None:
    if name is None:
        raise OvsegError("invalid_multipart", "a part has no name; its Content-Disposition must give one")
    if name in allowed.many:
        if len(found.get(name, ())) >= MAX_PARTS:
            raise OvsegError("invalid_request", f"there are more than {MAX_PARTS:,} parts with this name", name)
    elif name not in (*allowed.main, *allowed.fields):
        message = f"unknown part; allowed: {' and '.join(allowed.main)}, each once"
        if allowed.fields:
            message += f"; or the fields {', '.join((*allowed.fields, *allowed.many))}"
        raise OvsegError("unknown_field", message, brief(name))
    elif name in found:
        raise OvsegError("invalid_request", "there are two parts with this name; send one", name)


def _checked(boundary: str | None) -> bytes:
    if not boundary:
        message = "Content-Type has no boundary; it should be multipart/form-data; boundary=..."
        raise OvsegError("invalid_multipart", message)
    if not boundary.isascii() or len(boundary) > MAX_BOUNDARY:
        message = f"the boundary in Content-Type must be at most {MAX_BOUNDARY} ASCII characters"
        raise OvsegError("invalid_multipart", message)
    return boundary.encode()
