"""What must never happen, whatever is sent."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.attack.wire import Answer

# Statuses of 500 and more that are right answers: an unknown Transfer-Encoding, HTTP/9.9, a full queue.
RIGHT = {501, 505}
OUR_FAULT = {"internal_error", "worker_lost"}
LEAK = re.compile(rb"Traceback \(most recent|site-packages|/gateway/|/worker/\w+\.py|ovseg_core/|redis\.exceptions")
MOST_MEGABYTES = {"gateway": 700.0, "worker": 4_000.0}  # of a peak; 2 to 3 times what sound requests take
SLOWEST_NEIGHBOUR_SECONDS = 45.0  # a worker's four places may be held for 10 s of CPU each, on two cores


@dataclass
class Verdict:
    """`broken` has, by promise, what broke it."""

    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(
        default_factory=lambda: {
            "requests that nobody answered or refused in time": [],
            "answers of 5xx": [],
            "answers that show our insides": [],
            "accepted jobs that never ended": [],
            "jobs that ended by a fault of ours": [],
            "neighbours of hostile jobs that had to wait": [],
            "processes that fell": [],
            "more memory than is allowed": [],
        }
    )

    @property
    def is_clean(self) -> bool:
        return not any(self.broken.values())

    def hear(self, request: bytes, answer: Answer) -> None:
        self.answers[str(answer.status or "closed")] += 1
        shown = f"{request[:300]!r} -> {answer.body[:300]!r}"
        if answer.is_late:
            self.broken["requests that nobody answered or refused in time"].append(shown)
        if answer.status is not None and answer.status >= 500 and not _is_right(answer):
            self.broken["answers of 5xx"].append(shown)
        if LEAK.search(answer.body):
            self.broken["answers that show our insides"].append(shown)

    def ended(self, job: dict[str, Any] | None, job_id: str) -> None:
        if job is None or job["completed_at"] is None:
            self.broken["accepted jobs that never ended"].append(job_id)
            return
        code = job["error"]["code"] if job["error"] else job["status"]
        self.ends[code] += 1
        if code in OUR_FAULT:
            self.broken["jobs that ended by a fault of ours"].append(f"{job_id} {job['error']}")

    def neighbour(self, beside: str, seconds: float, status: str) -> None:
        if status != "succeeded":
            self.broken["neighbours of hostile jobs that had to wait"].append(f"{beside}: {status}, {seconds:.0f} s")

    def memory(self, peak: dict[str, float]) -> None:
        for role, most in MOST_MEGABYTES.items():
            if peak.get(role, 0) > most:
                self.broken["more memory than is allowed"].append(f"{role} {peak[role]:.0f} MB, allowed {most:.0f}")


def _is_right(answer: Answer) -> bool:
    return answer.status in RIGHT or (answer.status == 503 and b'"queue_full"' in answer.body)
