"""Short leases and pauses: what takes a minute or three days in service takes seconds here."""

from __future__ import annotations

from worker.job import jobs
from worker.webhook import deliver, events

LEASE_SECONDS = 3.0
SWEEP_SECONDS = 0.5
LOST_MESSAGE_SECONDS = 3.0

SETTINGS = {
    "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
    "OVSEG_SWEEP_SECONDS": str(SWEEP_SECONDS),
    "OVSEG_LOST_MESSAGE_SECONDS": str(LOST_MESSAGE_SECONDS),
    "OVSEG_MAX_ATTEMPTS": "100",  # whoever is killed so often is not to blame
    "OVSEG_RETRY_DELAY_SECONDS": "0.5",
    "OVSEG_RETRY_DELAY_MAX_SECONDS": "4",
    "OVSEG_WEBHOOK_TIMEOUT_SECONDS": "2",
}


def hurry() -> None:
    """The pauses that are no settings, in this process."""
    deliver.RETRY_DELAYS_SECONDS = (0.5, 1.0) + (2.0,) * 100  # type: ignore[assignment]
    events.SENDER_GRACE_SECONDS = 3
    jobs.RESEND_SECONDS = events.RESEND_SECONDS = 4  # type: ignore[attr-defined]
