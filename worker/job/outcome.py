"""What becomes of a submission: a job that is accepted, or the reason why none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.access.tenant_limits import Exceeded
from worker.job.record import Job


@dataclass(frozen=True)
class Outcome:
    """The result of a submission: the job that was accepted, now or before, or None.

    `job` is None if a different job was accepted before under the same key or id, if the same job was accepted before
    and erased since (`is_erased`), if no more jobs are accepted (`full` is the reason: `jobs`, `memory` or
    `ephemeral`), if a limit of the tenant is `exceeded`, if its batch was canceled or deleted (`is_closed`), or if the
    image that its request names is not known any more (`is_unknown`).
    """

    job: Job | None
    is_new: bool = False
    is_erased: bool = False
    full: str = ""
    exceeded: Exceeded | None = None
    is_closed: bool = False
    is_unknown: bool = False


def refused(outcome: str, reason: str, limits: Sequence[str], stored_bytes: int) -> Outcome:
    """Return the outcome of a submission that `accept` refused: `exceeded`, `closed`, `unknown` or `full`."""
    if outcome == "exceeded":
        quota, left = map(int, limits)
        return Outcome(None, exceeded=Exceeded(reason, quota, left, stored_bytes))
    if outcome == "full":
        return Outcome(None, full=reason)
    return Outcome(None, is_closed=outcome == "closed", is_unknown=outcome == "unknown")
