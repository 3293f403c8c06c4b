"""Waits until a job or a batch has ended. The service holds each request as long as it can, so few are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ovseg_client.errors import Timeout
from ovseg_client.retries import Deadline
from ovseg_client.service import Service
from ovseg_client.steps import Pause, Request, Steps

MAX_WAIT_SECONDS = 60  # the service holds a request no longer
# A gateway that stops, or holds too many requests, answers immediately. The pause limits how often the client asks it.
PAUSE_SECONDS = 1.0


class Ends(Protocol):
    """A job or a batch."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def is_final(self) -> bool: ...
    @property
    def path(self) -> str: ...


def until_final(service: Service, thing: Ends, deadline: Deadline) -> Steps[None]:
    """The steps that read a job or a batch until it has ended.

    Raises:
        Timeout: It has not ended in time. It continues.
    """
    while not thing.is_final:
        seconds = deadline.left(MAX_WAIT_SECONDS)
        if not seconds:
            raise Timeout(f"{thing!r} has not ended yet; it continues", thing)
        held = Deadline(seconds)
        thing.raw = yield from service.parsed(Request("GET", thing.path, {"wait": round(seconds, 3)}), deadline)
        if not thing.is_final:
            yield Pause(held.left(PAUSE_SECONDS))
