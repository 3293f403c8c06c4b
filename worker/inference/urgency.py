"""Which of the calls that wait for a device run first."""

from __future__ import annotations

from enum import IntEnum

from worker.job.request import JobRequest


class Urgency(IntEnum):
    """How urgent a call to a device is; the smallest number is the most urgent.

    PROMPTS is for the answers to a job's prompts: they take a few milliseconds, and often a person waits for them. The
    others are for calls that take longer, encoding and everything mode: one for each `priority` of a job.
    """

    PROMPTS = 0
    INTERACTIVE = 1
    NORMAL = 2
    BULK = 3

    @classmethod
    def of(cls, request: JobRequest) -> Urgency:
        """Return how urgent the long calls of a job are."""
        return cls[request.priority.upper()]
