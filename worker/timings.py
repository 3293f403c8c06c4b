"""How long the stages of a job take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

OF_NETWORKS = ("encode", "decode", "detect_encode", "detect")  # the stages in which a network runs


class Timings:
    """The duration of each stage, in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.ms[stage] = round((time.perf_counter() - start) * 1000, 2)

    @property
    def network_ms(self) -> float:
        """The milliseconds that networks ran."""
        return sum(self.ms.get(stage, 0.0) for stage in OF_NETWORKS)

    def __str__(self) -> str:
        return " ".join(f"{stage} {ms:.0f}" for stage, ms in self.ms.items())
