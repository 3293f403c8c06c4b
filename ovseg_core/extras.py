"""The extras of pyproject.toml: packages that only some things need."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """Return the command for the end of an error message. It names a checkout, because ovseg is not on PyPI."""
    return f"pip install '.[{extra}]' in a checkout of ovseg"
