"""How an attempt at a job waits for another job, and why it must end early."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

# Entered while an attempt waits for another job: another may have its slot then.
Waiting = Callable[[], AbstractContextManager[None]]


class LeaseLost(Exception):
    """This attempt no longer holds the job; it must write nothing, and its files are deleted.

    `Heartbeat.check` raises this and the next one.
    """


class Stopped(Exception):
    """The attempt still holds its job, but must stop; the message is the verdict that `Jobs.beat` returned."""
