"""How many orders hypothesis tries in the tests of what must hold in any order of changes."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"


def count(full: int) -> int:
    """Return `full` in `make orders`, and two fifths of it in `make test`: each run tries other orders."""
    return full if IS_FULL else full * 2 // 5
