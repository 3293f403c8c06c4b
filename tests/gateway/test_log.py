"""A client can neither forge a log line nor send control characters to the terminal that shows the log."""

from __future__ import annotations

import io
import logging
import re
import socket

import pytest

from ovseg import log, terminal
from tests.support.lone_gateway import LoneGateway

# C0 and C1 controls, line separators, characters that change the direction of text or are invisible, half a character.
HOSTILE = ["\n", "\r", "\x1b[31m", "\x1b]0;title\x07", "\x08", "\x7f", "\x9b31m", "\x85", "\u2028", "\u2029", "\x0b"]
HOSTILE += ["\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\ufeff", "\U000e0041", "\ud800", "\0", "\t"]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.OneLine(log.FORMAT))
    logger = logging.Logger("hostile")
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_message_is_one_line_of_printable_characters(logger: logging.Logger, stream: io.StringIO, text: str) -> None:
    logger.warning("from %s to", f"a{text}2026-01-01 00:00:00,000 INFO forged: b")
    line = stream.getvalue()
    assert line.endswith(" to\n")
    assert line[:-1].isprintable()
    assert text.encode("unicode_escape").decode() in line


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_traceback_keeps_its_lines_and_none_looks_like_a_record(
    logger: logging.Logger, stream: io.StringIO, text: str
) -> None:
    try:
        raise ValueError(f"a{text}2026-01-01 00:00:00,000 INFO forged: b")
    except ValueError:
        logger.exception("failed")
    first, *others = stream.getvalue().split("\n")[:-1]
    assert first.endswith("failed")
    assert len(others) > 3
    for line in others:
        assert line.startswith("    ")
        assert line.isprintable()


def test_printable_text_is_not_changed() -> None:
    text = "GET /v1/jobs 200 in 3 ms, Größe 5 \u00d7 4, \u4f60\u597d, 'quoted' \\n"
    assert log.escape(text) == text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_the_lines_of_other_processes_are_escaped_too(capsys: pytest.CaptureFixture[str], text: str) -> None:
    terminal.show("valkey", f"a{text}b")
    assert capsys.readouterr().out[:-1].isprintable()


def test_a_request_with_any_target_writes_one_line_into_the_gateways_log(gateway: LoneGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        target = b"/v1/jobs/mark%0a2026-01-01%20INFO%20forged%1b[31m%c2%9b?wait=%0d%0aforged"
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 422 ")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(b"GE\x1b[31mT\xc2\x9b /mark\x1b[2J HTTP/1.1\xe2\x80\xa8mark\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    lines = gateway.log.read_text().split("\n")
    [line] = [line for line in lines if "/v1/jobs/mark" in line]
    assert " 422 in " in line
    for line in lines:
        assert line.isprintable()
        assert re.match(r"\d{4}-\d\d-\d\d |    |$", line), line
