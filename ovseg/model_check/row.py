"""The rows that `ovseg models check` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """One step: how long it took, what was found, and whether that is wrong."""

    step: str
    seconds: float
    text: str
    is_wrong: bool = False


def finite(step: str, features: Sequence[np.ndarray], seconds: float) -> Row:
    """Return the row of an encoded image: wrong if a number of its features is not finite."""
    size = f"{sum(array.nbytes for array in features) / 1e6:.1f} MB of features"
    if all(np.isfinite(array).all() for array in features):
        return Row(step, seconds, size)
    return Row(step, seconds, f"{size} contain numbers that are not finite", True)


def peak_memory() -> int:
    """Return the largest amount of memory that this process has had so far, in bytes."""
    status = Path("/proc/self/status").read_text()
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes) * 1024
