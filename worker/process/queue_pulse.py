"""The pulse of a process that takes messages: it beats in Celery's own loop, between two looks at the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from redis import RedisError

log = logging.getLogger(__name__)


def step(give: Callable[[], None], pause_seconds: float) -> type[bootsteps.StartStopStep]:
    """Calls `give` every `pause_seconds`; for `app.steps["consumer"]`. Celery stops it while Redis is unreachable."""

    def beat() -> None:
        try:
            give()
        except RedisError as error:
            log.warning("no sign of life, Redis is unreachable: %s", error)

    class QueuePulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        requires = ("celery.worker.consumer.tasks:Tasks",)  # by then it takes messages

        def start(self, consumer: Any) -> None:
            beat()
            self._entry = consumer.timer.call_repeatedly(pause_seconds, beat)

        def stop(self, consumer: Any) -> None:
            consumer.timer.cancel(self._entry)

    return QueuePulse
