"""What a caller can put right."""

from __future__ import annotations


class OvsegError(Exception):
    """A mistake that the caller can correct. It is reported with a code and never retried.

    Anything that is not an OvsegError is our own fault: it is logged loudly and retried.

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

    def at(self, field: str) -> OvsegError:
        """The same error, about this field."""
        return OvsegError(self.code, self.message, field)
