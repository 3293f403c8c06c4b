"""A client's text in an error message."""

from __future__ import annotations

SHOWN_CHARACTERS = 80  # enough to recognise the text


def brief(text: str) -> str:
    """Shorten a client's text for an error message, and escape half surrogate pairs, which UTF-8 cannot encode."""
    shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return shown.encode("utf-8", "backslashreplace").decode()
