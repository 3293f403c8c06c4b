"""Why an attempt at a job must end early. Raised by `Heartbeat.check`."""

from __future__ import annotations


class LeaseLost(Exception):
    """Another attempt holds the job by now; this one must leave no trace."""


class Stopped(Exception):
    """The attempt still holds its job, but must not go on; the message is the verdict that `Jobs.beat` gives."""
