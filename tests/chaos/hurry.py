"""Short leases and pauses: what takes a minute or three days in production takes seconds here."""

from __future__ import annotations

from worker.store import queue
from worker.webhook import deliver, events

LEASE_SECONDS = 3.0
SWEEP_SECONDS = 0.5
LOST_MESSAGE_SECONDS = 3.0

SETTINGS = {
    "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
    "OVSEG_SWEEP_SECONDS": str(SWEEP_SECONDS),
    "OVSEG_LOST_MESSAGE_SECONDS": str(LOST_MESSAGE_SECONDS),
    "OVSEG_MAX_ATTEMPTS": "100",  # a job that is attempted so often is not itself the cause
    "OVSEG_RETRY_DELAY_SECONDS": "0.5",
    "OVSEG_RETRY_DELAY_MAX_SECONDS": "4",
    "OVSEG_WEBHOOK_TIMEOUT_SECONDS": "2",
}


def hurry() -> None:
    """Shorten the pauses that are not settings, in this process.

    They are constants because no operator has a reason to change them. Parameters would have to pass through every
    process and class of the product for this one caller; each constant is read in its own module, so one assignment
    is enough.
    """
    deliver.RETRY_DELAYS_SECONDS = (0.5, 1.0) + (2.0,) * 100
    events.SENDER_GRACE_SECONDS = 3
    queue.RESEND_SECONDS = 4
