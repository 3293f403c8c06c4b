"""How long jobs waited and ran: counts in ranges of time, so that they need little room however many jobs there are."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

WAIT, RUN = "wait", "run"
# Two ranges for each doubling, so that a quantile is wrong by a fifth at most. The first range ends at a millisecond,
# the last one after 18 hours; what takes longer counts there.
PER_DOUBLING = 2
RANGES = 53


@dataclass(frozen=True)
class Quantiles:
    """Of `count` jobs, the times in milliseconds that half of them, and 95 % of them, did not exceed."""

    count: int
    p50: float
    p95: float


class Latencies:
    """The counts of one process since they were last taken, by `<wait or run> <number of the range>`. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def of_attempt(self, waited: timedelta | None) -> Iterator[None]:
        """Count how long an attempt runs, which is the block, and how long its job waited unless that is None."""
        start = time.monotonic()
        try:
            yield
        finally:
            counts = {f"{RUN} {_range(1000 * (time.monotonic() - start))}": 1}
            if waited is not None:
                counts[f"{WAIT} {_range(waited / timedelta(milliseconds=1))}"] = 1
            self.add(counts)

    def take(self) -> Mapping[str, int]:
        """Return the counts and begin new ones."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def add(self, counts: Mapping[str, int]) -> None:
        with self._lock:
            self._counts.update(counts)


def upper_ms(number: int) -> float:
    """Return the upper limit of a range, in milliseconds."""
    return float(2 ** (number / PER_DOUBLING))


def quantiles(counts: Mapping[str, int], what: str) -> Quantiles | None:
    """Return the quantiles of `what`, WAIT or RUN; None if no job was counted."""
    found = [(number, counts[f"{what} {number}"]) for number in range(RANGES) if counts.get(f"{what} {number}")]
    total = sum(count for _, count in found)
    return Quantiles(total, _quantile(found, 0.5 * total), _quantile(found, 0.95 * total)) if total else None


def buckets(counts: Mapping[str, int], what: str) -> list[tuple[str, int]]:
    """Return the histogram of `what`, WAIT or RUN, for Prometheus: limits in seconds, each with the number below it."""
    below = accumulate(counts.get(f"{what} {number}", 0) for number in range(RANGES))
    limits = [f"{upper_ms(number) / 1000:g}" for number in range(RANGES - 1)]
    every = list(zip([*limits, "+Inf"], below, strict=True))
    return every[::PER_DOUBLING]  # one for each doubling is enough there; the last one is +Inf


def _quantile(found: list[tuple[int, int]], rank: float) -> float:
    """Return the time that `rank` jobs did not exceed, as if the times in a range were evenly spread."""
    below = 0
    for number, count in found:
        if below + count >= rank:
            lower = upper_ms(number - 1) if number else 0.0
            return round(lower + (upper_ms(number) - lower) * (rank - below) / count, 1)
        below += count
    raise ValueError(f"fewer than {rank} jobs were counted")


def _range(milliseconds: float) -> int:
    """Return the number of the range that a time belongs to."""
    return min(max(0, math.ceil(PER_DOUBLING * math.log2(max(milliseconds, 1.0)))), RANGES - 1)
