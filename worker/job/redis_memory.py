"""Whether Redis has memory for submissions: the script that accepts a job checks that, but not for each small one."""

from __future__ import annotations

import time

# The check is an eighth of what Redis does to accept a click. Within a second, Redis accepts a few thousand jobs at
# most. If they are small, they fill much less than the tenth of its memory that submissions must leave free.
KNOWN_SECONDS = 1.0
SMALL_BYTES = 16_384


class RedisMemory:
    """Remembers when a submission of this process found that Redis has room. Thread-safe."""

    def __init__(self) -> None:
        self._found_at = -KNOWN_SECONDS

    def has_room(self, size: int) -> bool:
        """True if Redis has room for a submission of `size` bytes, as far as this process knows. Otherwise check it."""
        return size <= SMALL_BYTES and time.monotonic() - self._found_at < KNOWN_SECONDS

    def found_room(self) -> None:
        """Remember that the check has just found room."""
        self._found_at = time.monotonic()
