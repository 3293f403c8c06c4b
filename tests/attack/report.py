"""The report of a run, on one page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping

from tests.attack.run import Outcome


def text(outcome: Outcome) -> str:
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    verdict, scale = outcome.verdict, outcome.scale
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    yield f"{scale.name}: {scale.requests} requests, {scale.images} mutated images, {outcome.seconds:.0f} s, {machine}"
    yield from _table("Answers", verdict.answers)
    yield _row("slowest answer, s", f"{outcome.slowest_answer_seconds:.1f}")
    yield from _table("Outcomes of accepted jobs", verdict.ends)
    yield "\nSeconds until a normal job succeeded next to four of"
    yield from (_row(name, f"{seconds:.1f}") for name, seconds in outcome.neighbours.items())
    yield "\nMemory, MB: at the start, at most, at the end"
    for role, figures in sorted(outcome.memory_mb.items()):
        yield _row(role, " ".join(f"{megabytes:>7.0f}" for megabytes in figures))
    yield "\nMust be 0"
    for promise, cases in verdict.broken.items():
        yield _row(promise, len(cases))
        yield from (f"      {case}" for case in cases[:5])
    yield "\nthe service withstood all" if verdict.is_clean else "\nTHE SERVICE DID NOT WITHSTAND ALL"


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"\n{title}"
    yield from (_row(name, counts[name]) for name in sorted(counts))


def _row(name: str, value: object) -> str:
    return f"  {name:<60}{value!s:>24}"
