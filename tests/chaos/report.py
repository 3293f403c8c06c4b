"""The report of a run, on one page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping

from tests.chaos import hurry
from tests.chaos.order import EVENTS
from tests.chaos.run import Outcome

TARGET_SECONDS = hurry.LEASE_SECONDS + hurry.SWEEP_SECONDS + 2


def text(outcome: Outcome) -> str:
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    seen, verdict = outcome.seen, outcome.verdict
    yield f"{outcome.scale.name}: {len(seen.accepted)} jobs in {outcome.seconds:.0f} s, {_machine()}"
    yield from _table("Faults", outcome.faults)
    yield from _table("Answers to clients", outcome.answers)
    yield _row("slowest answer, s", f"{outcome.slowest_answer_seconds:.1f}")
    yield "\nCosts"
    executions = sum(job["attempt"] for job in seen.jobs)
    stale = sum(entry.word != "begin" and not entry.now for entry in seen.entries)
    yield _row("duplicate executions", executions - len(seen.jobs))
    yield _row("jobs executed more than once", sum(job["attempt"] > 1 for job in seen.jobs))
    yield _row("attempts whose job another attempt held", outcome.too_late)
    yield _row("stale writes refused", stale)
    yield _row("webhook redeliveries", len(seen.deliveries) - len(EVENTS) * len(seen.jobs))
    for why, count in outcome.requeued.items():
        yield _row(f"requeued after {why}", count)
    yield _row("lost messages, and more of them as a precaution", outcome.permits_replaced)
    yield from _recovery(outcome.recovery_seconds)
    yield "\nMust be 0"
    for promise, cases in verdict.broken.items():
        yield _row(promise, len(cases))
        yield from (f"      {case}" for case in cases[:5])
    yield "\nthe promise was kept" if verdict.is_clean else "\nTHE PROMISE WAS BROKEN"


def _recovery(seconds: list[float]) -> Iterator[str]:
    if not seconds:
        return
    p50, p99 = (seconds[min(len(seconds) - 1, int(len(seconds) * share))] for share in (0.5, 0.99))
    met = "met" if p99 < TARGET_SECONDS else "missed"
    yield _row(f"recovery of {len(seconds)} interactive attempts, p50, s", f"{p50:.1f}")
    yield _row(f"recovery, p99, s (target {TARGET_SECONDS:g}: {met})", f"{p99:.1f}")


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"\n{title}"
    yield from (_row(name, counts[name]) for name in sorted(counts))


def _row(name: str, value: object) -> str:
    return f"  {name:<60}{value!s:>10}"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
