"""CPU cores by number."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def parse(text: str) -> tuple[int, ...]:
    """Parse a list of cores in taskset's format: "0-3,8" is 0, 1, 2, 3 and 8. Raises ValueError."""
    cores: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f"{part.strip()!r} is not a core or a range of cores; write them as in 0-3,8")
        cores |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    return tuple(sorted(cores))


def _parsed(value: object) -> object:
    return parse(value) if isinstance(value, str) and value else value or ()


# NoDecode: pydantic-settings would parse the variable as JSON.
Cores = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_parsed)]
