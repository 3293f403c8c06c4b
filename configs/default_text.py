"""A setting's default, written as the value of its environment variable."""

from __future__ import annotations


def of(default: object) -> str:
    """Return what a person would write into the environment; an empty text for a setting that is unset or empty."""
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:.15g}" if isinstance(default, float) else str(default)
