"""What a caller can put right."""

from __future__ import annotations


class OvsegError(Exception):
    """The caller's mistake: it is told to them, with a code, and is never retried.

    `code` is stable and meant for programs (`box_outside_image`), `message` for people, and `field` names the
    part of the request that was wrong (`prompts[2].box`), or is None where no single part was.
    Anything that is not an OvsegError is ours: it is logged loudly and retried.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def at(self, field: str) -> OvsegError:
        """The same error, told of a field."""
        return OvsegError(self.code, self.message, field)
