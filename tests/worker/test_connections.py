"""As many connections to Redis as there are threads that ask it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from configs.settings import Settings
from worker.store.keyspace import Keyspace


def test_every_thread_of_a_gateway_may_ask_redis_at_the_same_moment(settings: Settings) -> None:
    threads = 150  # more than redis-py allows by itself
    together = threading.Barrier(threads)

    with Keyspace.open(settings.model_copy(update={"gateway_threads": threads})) as keyspace:

        def ask(_: int) -> object:
            together.wait(30)
            return keyspace.redis.blpop([keyspace.key("nothing")], timeout=1)  # keeps its connection for a second

        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(ask, range(threads))) == [None] * threads
