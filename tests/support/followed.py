"""Follows a job in Redis, as a gateway does, and reads its events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from worker.services import Services
from worker.store import feeds
from worker.store.feeds import Feeds


def events(services: Services, job_id: str, act: Callable[[], object]) -> list[tuple[str, Any]]:
    """Follow a job, call `act`, and return the types and the data of the events since then."""
    following, name = Feeds(services.keyspace, "test"), feeds.of_job(job_id)
    last = following.follow([name])[name]
    act()
    return [(entry.type, json.loads(entry.data or "null")) for entry in following.since(name, last) or ()]
