"""The signs of life of a process that takes messages. Celery's own loop gives them, between two reads of the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from redis import RedisError

log = logging.getLogger(__name__)


def step(beat: Callable[[], None], pause_seconds: float) -> type[bootsteps.StartStopStep]:
    """Return a step for `app.steps["consumer"]` that calls `beat` every `pause_seconds`.

    Celery stops the step while Redis is unreachable.
    """

    def beat_and_log() -> None:
        try:
            beat()
        except RedisError as error:
            log.warning("no sign of life was given, Redis is unreachable: %s", error)

    class QueuePulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        requires = ("celery.worker.consumer.tasks:Tasks",)  # starts after Celery has started to take messages

        def start(self, consumer: Any) -> None:
            beat_and_log()
            self._entry = consumer.timer.call_repeatedly(pause_seconds, beat_and_log)

        def stop(self, consumer: Any) -> None:
            consumer.timer.cancel(self._entry)

    return QueuePulse
