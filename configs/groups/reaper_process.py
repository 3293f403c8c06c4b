"""Settings: when the reaper acts."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ReaperProcess(BaseModel):
    sweep_seconds: float = Field(default=1.0, gt=0, description="Time between two sweeps, in seconds (> 0).")
    lost_message_seconds: float = Field(
        default=10.0,
        gt=0,
        description="If a queue has fewer messages than jobs that wait, and one of them has waited for this time, in "
        "seconds (> 0), the missing messages are sent again. It must be longer than a worker needs from taking a "
        "message to claiming a job. An extra message does no harm.",
    )

    retention_seconds: float = Field(
        default=7 * 24 * 3600,
        ge=0,
        description="A finished job is erased after this time, in seconds (0 or more): record, input and result. In a "
        "week, clients can fetch the results that they keep, and Redis does not grow without bound. 0: jobs are kept "
        "until they are deleted. A webhook is retried for three days; with less than that, an undelivered event is "
        "erased with its job.",
    )
