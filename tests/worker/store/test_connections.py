"""There are as many connections to Redis as threads that call it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from configs.settings import Settings
from worker.store.keyspace import Keyspace


def test_all_threads_of_a_gateway_can_call_redis_at_the_same_time(settings: Settings) -> None:
    threads = 150  # more than redis-py allows by default
    barrier = threading.Barrier(threads)

    with Keyspace.open(settings.model_copy(update={"gateway_threads": threads})) as keyspace:

        def call_redis(_: int) -> object:
            barrier.wait(30)
            return keyspace.redis.blpop([keyspace.key("nothing")], timeout=1)  # occupies its connection for a second

        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(call_redis, range(threads))) == [None] * threads
