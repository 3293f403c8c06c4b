"""Why an attempt at a job must end early. Raised by `Heartbeat.check`."""

from __future__ import annotations


class LeaseLost(Exception):
    """This attempt no longer holds the job; it must write nothing, and its files are deleted."""


class Stopped(Exception):
    """The attempt still holds its job, but must stop; the message is the verdict that `Jobs.beat` returned."""
