"""Report what a user can correct in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from pydantic import ValidationError

from configs.settings import Settings
from ovseg_core.errors import OvsegError


@contextmanager
def errors() -> Iterator[None]:
    """Report an expected error in one line, without a traceback."""
    try:
        yield
    except (ValueError, OSError, OvsegError) as error:
        raise click.ClickException(str(error)) from error


def settings() -> Settings:
    """Return the settings, or report every wrong setting in a line of its own."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [(".".join(map(str, e["loc"])).upper(), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        raise click.ClickException("\n".join(f"OVSEG_{name}: {what}" for name, what in wrong)) from None
