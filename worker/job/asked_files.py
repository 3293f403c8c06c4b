"""Files that clients have asked for and that workers make: previews, and copies of images behind URLs."""

from __future__ import annotations

import json

from ovseg_core.errors import OvsegError
from worker.store.keyspace import Keyspace

# If no worker has made a file by then, the next request asks for it again.
ASKED_SECONDS = 120
FAILED_SECONDS = 60  # for which an error is remembered; a host of an image may work again later
MAX_WAITING = 100  # of a tenant. A worker makes two or more in a second, unless it must fetch images


class AskedFiles:
    """The files that wait to be made, in Redis. Thread-safe."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    def ask(self, job_id: str, name: str) -> None:
        """Ask for a file of a job, unless it was asked for just now.

        Raises OvsegError: what the worker that tried to make it has raised; `queue_full` if too many files of the
        tenant wait.
        """
        state = self._keyspace.run("file_ask", job_id, name, ASKED_SECONDS, MAX_WAITING)
        if state == "full":
            raise OvsegError("queue_full", f"{MAX_WAITING} files of this tenant wait to be made; try again later")
        if state:
            code, message = json.loads(state)
            raise OvsegError(code, message)

    def take(self) -> tuple[str, str] | None:
        """Return the job and the name of the next file to make; None if none waits."""
        taken = self._keyspace.run("file_take")
        return tuple(taken.rsplit(" ", 1)) if taken else None

    def made(self, job_id: str, name: str, size: int) -> bool:
        """Count the bytes of a file that is stored now. Returns False if the job was erased: the file must go, too."""
        return bool(self._keyspace.run("file_made", job_id, name, size))

    def failed(self, job_id: str, name: str, error: OvsegError) -> None:
        """Remember why a file cannot be made."""
        state = json.dumps([error.code, error.message])
        self._keyspace.redis.set(self._keyspace.key(f"asked:{job_id} {name}"), state, ex=FAILED_SECONDS)
