"""What a body is encoded in is taken off, and what it decodes to is bounded."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from ovseg_core.errors import OvsegError
from tests.support import fakes
from tests.support.fakes import Host
from tests.support.outbound import LIMIT, SLACK_SECONDS, client, taking_at_most


def compressed(wbits: int) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        compressor = zlib.compressobj(wbits=wbits)
        return compressor.compress(data) + compressor.flush()

    return compress


def encoded(host: Host, encoding: str, body: bytes) -> str:
    headers = {"Content-Encoding": encoding}
    host.answers["/encoded"] = lambda request: fakes.reply(request, 200, body, headers)
    return host.url("/encoded")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", compressed(-15)),  # without its header, as some send it
        ("br", lambda data: b"\x0b\x03\x80picture\x03"),
        ("identity", bytes),
        ("", bytes),
        ("aws-chunked", bytes),  # what uploads leave in S3: it says nothing of the bytes
        ("utf-8", bytes),
    ],
)
def test_a_content_encoding_is_decoded(encoding: str, compress: Callable[[bytes], bytes], host: Host) -> None:
    url = encoded(host, encoding, compress(b"picture"))
    assert client(host.address).get(url, LIMIT, 10, "image") == b"picture"
    assert host.received[0].headers["accept-encoding"] == "identity"


def test_the_limit_on_bytes_applies_to_the_decoded_body(host: Host) -> None:
    url = encoded(host, "gzip", gzip.compress(bytes(LIMIT)))
    assert client(host.address).get(url, LIMIT, 30, "image") == bytes(LIMIT)
    url = encoded(host, "gzip", gzip.compress(bytes(LIMIT + 1)))
    with pytest.raises(OvsegError) as caught:
        client(host.address).get(url, LIMIT, 30, "image")
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip, deflate", zlib.compress), ("gzip,gzip", gzip.compress), ("gzip,,x-gzip", gzip.compress)],
)
def test_a_body_with_two_content_encodings_is_refused(
    encoding: str, compress: Callable[[bytes], bytes], host: Host
) -> None:
    """Nothing counts the bytes between the two, which may be a thousand times as many."""
    url = encoded(host, encoding, compress(gzip.compress(b"picture")))
    with pytest.raises(OvsegError, match="more than one Content-Encoding"):
        client(host.address).get(url, LIMIT, 10, "image")


@pytest.mark.parametrize("transfer", [b"gzip, chunked", b"gzip, gzip, gzip, chunked", b"gzip"])
def test_a_compressed_transfer_encoding_ends_the_fetch(transfer: bytes, host: Host) -> None:
    bomb = gzip.compress(gzip.compress(gzip.compress(bytes(30_000_000), 1), 1), 1)
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + transfer + b"\r\n\r\n%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n"
    host.answers["/transfer"] = lambda request: fakes.write(request, raw)
    with taking_at_most(SLACK_SECONDS), pytest.raises(OvsegError) as caught:
        client(host.address).get(host.url("/transfer"), LIMIT, 600, "image")
    assert caught.value.code == "url_unreachable"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"picture", "not in its Content-Encoding"),
        (gzip.compress(b"picture", mtime=0) + b"more", "goes on after the end of its Content-Encoding"),
    ],
)
def test_a_body_that_does_not_match_its_encoding_is_an_error(body: bytes, said: str, host: Host) -> None:
    with pytest.raises(OvsegError, match=said) as caught:
        client(host.address).get(encoded(host, "gzip", body), LIMIT, 10, "image")
    assert caught.value.code == "url_unreachable"
