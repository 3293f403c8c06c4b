"""Reads a structured field (RFC 9651) that is a list of strings with integers and strings as parameters."""

from __future__ import annotations

import re

KEY, INTEGER, STRING = r"[a-z*][a-z0-9_\-.*]*", r"-?[0-9]{1,15}", r'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
PARAMETER = re.compile(rf"; *({KEY})=(?:({INTEGER})|({STRING}))")
ITEM = re.compile(STRING)
SEPARATOR = re.compile(r"[ \t]*,[ \t]*(?!$)")


def read(text: str) -> dict[str, dict[str, int | str]]:
    """Return the parameters of each item. Raises ValueError for anything else than such a list."""
    found: dict[str, dict[str, int | str]] = {}
    at = 0
    while item := ITEM.match(text, at):
        at, parameters = item.end(), found.setdefault(_unquoted(item[0]), {})
        while parameter := PARAMETER.match(text, at):
            key, integer, string = parameter.groups()
            parameters[key] = int(integer) if integer else _unquoted(string)
            at = parameter.end()
        if at == len(text):
            return found
        separator = SEPARATOR.match(text, at)
        if separator is None:
            break
        at = separator.end()
    raise ValueError(f"not a list of strings, from position {at}: {text}")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
