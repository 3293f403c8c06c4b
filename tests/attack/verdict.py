"""What must never happen for any request."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.attack.wire import Answer

# Statuses of 500 and more that are correct: an unknown Transfer-Encoding, HTTP/9.9, a full queue.
CORRECT = {501, 505}
OUR_FAULT = {"internal_error", "worker_lost"}
LEAK = re.compile(rb"Traceback \(most recent|site-packages|/gateway/|/worker/\w+\.py|ovseg_core/|redis\.exceptions")
MAX_MEGABYTES = {"gateway": 700.0, "worker": 4_000.0}  # allowed peaks, 2 to 3 times what valid requests need
SLOWEST_NEIGHBOUR_SECONDS = 45.0  # hostile jobs may hold a worker's four slots for 10 s of CPU each, on two cores


@dataclass
class Verdict:
    """The cases that broke a promise, by promise, and the numbers of answers and of jobs by outcome."""

    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(
        default_factory=lambda: {
            "requests without an answer in time": [],
            "answers of 5xx": [],
            "answers that show internals": [],
            "accepted jobs that never ended": [],
            "jobs that failed through our fault": [],
            "neighbours of hostile jobs that had to wait": [],
            "processes that exited": [],
            "more memory than is allowed": [],
        }
    )

    @property
    def is_clean(self) -> bool:
        return not any(self.broken.values())

    def add_answer(self, request: bytes, answer: Answer) -> None:
        self.answers[str(answer.status or "closed")] += 1
        shown = f"{request[:300]!r} -> {answer.body[:300]!r}"
        if answer.is_late:
            self.broken["requests without an answer in time"].append(shown)
        if answer.status is not None and answer.status >= 500 and not _is_correct(answer):
            self.broken["answers of 5xx"].append(shown)
        if LEAK.search(answer.body):
            self.broken["answers that show internals"].append(shown)

    def add_job(self, job: dict[str, Any] | None, job_id: str) -> None:
        if job is None or job["completed_at"] is None:
            self.broken["accepted jobs that never ended"].append(job_id)
            return
        code = job["error"]["code"] if job["error"] else job["status"]
        self.ends[code] += 1
        if code in OUR_FAULT:
            self.broken["jobs that failed through our fault"].append(f"{job_id} {job['error']}")

    def add_neighbour(self, hostile: str, seconds: float, status: str) -> None:
        if status != "succeeded":
            self.broken["neighbours of hostile jobs that had to wait"].append(f"{hostile}: {status}, {seconds:.0f} s")

    def add_memory(self, peak: dict[str, float]) -> None:
        for role, maximum in MAX_MEGABYTES.items():
            if peak.get(role, 0) > maximum:
                self.broken["more memory than is allowed"].append(f"{role} {peak[role]:.0f} MB, allowed {maximum:.0f}")


def _is_correct(answer: Answer) -> bool:
    return answer.status in CORRECT or (answer.status == 503 and b'"queue_full"' in answer.body)
