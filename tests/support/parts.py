"""Services of `ovseg up`, one process each, with the settings of a test."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from configs.settings import Settings
from ovseg.child import Child, Command


@contextmanager
def processes(settings: Settings, *names: str) -> Iterator[list[str]]:
    """Run the named services as `ovseg up` runs them. Yields the lines that they write."""
    lines: list[str] = []
    environment = {
        f"OVSEG_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_defaults=True).items()
    }
    environment["OVSEG_ALLOWED_PRIVATE_HOSTS"] = ",".join(settings.allowed_private_hosts)
    children = [
        Child(Command(name, [sys.executable, "-m", "ovseg", name], environment), lambda _, line: lines.append(line))
        for name in names
    ]
    try:
        yield lines
    finally:
        for child in children:
            child.ask_to_end()
        for child in children:
            child.end_by(time.monotonic() + 5)
