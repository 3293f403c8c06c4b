"""An answer that is longer than memory: the server takes it piece by piece, as fast as its client reads."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain

from flask import Response, request

from gateway import handover
from gateway.compression import GZIP_WINDOW, LEVEL


def answer(pieces: Iterator[bytes], mimetype: str) -> Response:
    """Answer with these pieces, compressed if the client accepts gzip.

    All except the first one are made after the view has returned, so they must not need Flask's context. An error while
    they are made ends the connection, so that the client notices that the answer is incomplete.
    """
    pieces = chain([next(pieces, b"")], pieces)  # an error before the first one is answered as usual
    is_packed = request.accept_encodings.best_match(("gzip", "identity")) == "gzip"
    response = Response(_packed(pieces) if is_packed else pieces, mimetype=mimetype)
    response.vary.add("Accept-Encoding")
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    handover.mark_long()
    return response


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
