"""Learns of a job's message in the same millisecond as the workers, so that a kill can be aimed at it."""

from __future__ import annotations

import threading
import time

from redis import RedisError

from configs.settings import Settings
from worker.store.keyspace import Keyspace

# Valkey then reports list commands on every key.
FLAGS = ("--notify-keyspace-events", "Kl")


class Publishes:
    """Listens for messages to workers while the process lives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heard = threading.Condition()
        self._count = 0
        threading.Thread(target=self._listen, name="publishes", daemon=True).start()

    def wait_for_next(self, seconds: float) -> bool:
        """True if a message was published in that time."""
        with self._heard:
            count = self._count
            return self._heard.wait_for(lambda: self._count > count, seconds)

    def _listen(self) -> None:
        while True:
            try:
                with Keyspace.open(self._settings) as keyspace, keyspace.redis.pubsub() as news:
                    news.subscribe(f"__keyspace@0__:{keyspace.key('q:segment.auto')}")
                    while True:
                        message = news.get_message(ignore_subscribe_messages=True, timeout=1)
                        if message is not None and message["data"] == "lpush":
                            with self._heard:
                                self._count += 1
                                self._heard.notify_all()
            except RedisError:  # Valkey was killed or frozen, as the run intends
                time.sleep(0.1)
