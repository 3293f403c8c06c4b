"""What becomes of a submission: a job that is accepted, or the reason why none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from worker.access.tenant_limits import Exceeded
from worker.job.record import Job

# `other`: a different job was accepted before under the same key or id. `erased`: the same job was accepted before, and
# erased since. `unknown`: the image that the request names is not known any more. `closed`: the batch was canceled or
# deleted. `exceeded`: a limit of the tenant. The others: no more jobs are accepted, because too many are queued, or
# because no memory is left in Redis, or none for the images of ephemeral jobs.
FULL = ("jobs", "memory", "ephemeral")
Refusal = Literal["other", "erased", "unknown", "closed", "exceeded", "jobs", "memory", "ephemeral"]


@dataclass(frozen=True)
class Outcome:
    """The result of a submission.

    Attributes:
        job: the job that was accepted, now or before; None if the submission was refused.
        is_new: the job was accepted now.
        refusal: the reason if there is no job.
        exceeded: the tenant's limit, if that is the reason.
    """

    job: Job | None
    is_new: bool = False
    refusal: Refusal | None = None
    exceeded: Exceeded | None = None

    @property
    def has_no_room(self) -> bool:
        """True if there is no room for the job now. The same submission may be accepted later."""
        return self.refusal == "exceeded" or self.refusal in FULL


def refused(outcome: str, reason: str, limits: Sequence[str], stored_bytes: int) -> Outcome:
    """Return the outcome of a submission that `accept` refused: `other`, `exceeded`, `closed`, `unknown` or `full`."""
    if outcome == "exceeded":
        quota, left = map(int, limits)
        return Outcome(None, refusal="exceeded", exceeded=Exceeded(reason, quota, left, stored_bytes))
    return Outcome(None, refusal=cast(Refusal, reason if outcome == "full" else outcome))
