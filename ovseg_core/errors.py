"""The error that a caller can correct."""

from __future__ import annotations


class OvsegError(Exception):
    """A mistake that the caller can correct. It is reported with a code and never retried.

    Any other exception is a fault of the service: it is logged with its traceback, and the work is retried.

    Args:
        code: stable and meant for programs, such as `box_outside_image`; docs/api.md lists them.
        message: meant for people.
        field: the part of the request that was wrong, such as `prompts[2].box`; None if no single part was.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[type[OvsegError], tuple[str, str, str | None]]:
        """Make the error picklable: it may be raised in another process."""
        return type(self), (self.code, self.message, self.field)

    def at(self, field: str) -> OvsegError:
        """Return the same error with another `field`."""
        return OvsegError(self.code, self.message, field)
