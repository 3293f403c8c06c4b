"""Limits how many requests and prompts a key may send in a minute, with the library `limits`.

The counters are in Redis, so all gateways share them. The window slides: of the minute before the current one, the part
that is still within the last 60 seconds counts. A fixed window would allow twice the quota around its end, and a list
of times takes memory for each prompt. A request that is refused counts nothing.

A caller without a key shares its counters with all others without one.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from flask import Flask, request
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import OutOfMemoryError, ResponseError

from configs.settings import Settings
from gateway import auth, handover, quota_headers
from gateway.caller import caller
from ovseg_core.errors import OvsegError
from worker.access.quota import QuotaExceeded
from worker.store import outage
from worker.store.clock import MINUTE
from worker.store.keyspace import Keyspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """What is counted: the minute before, and the current one, which ends in `left` seconds."""

    before: int
    current: int
    left: float

    @property
    def used(self) -> int:
        """How much of the quota is used, as the library rounds it."""
        return math.floor(self.before * self.left / MINUTE) + self.current

    def retry_after(self, at_most: int) -> int:
        """Return after how many whole seconds no more than `at_most` is used, if nothing is added."""
        if self.current <= at_most:  # the minute before only has to slide out far enough
            slides = self.left - (at_most - self.current + 1) * MINUTE / max(self.before, 1)
        else:  # the current minute has to slide out far enough
            slides = self.left + MINUTE - (at_most + 1) * MINUTE / self.current
        return math.floor(max(slides, 0)) + 1


class RateLimits:
    """Counts the requests and prompts of the current request's caller. Thread-safe."""

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        # It shares our connections, and so the address, TLS and time-outs; of the URL only the scheme is used.
        pool, prefix = keyspace.redis.connection_pool, keyspace.key("rate")
        self._storage = RedisStorage("redis://", connection_pool=pool, key_prefix=prefix)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._settings = settings

    def of_caller(self) -> dict[str, int | None]:
        """Return how many requests and prompts the caller may send in a minute; None: any number."""
        own = caller().rates
        return {
            "requests_per_minute": own.requests_per_minute or self._settings.requests_per_minute,
            "prompts_per_minute": own.prompts_per_minute or self._settings.prompts_per_minute,
        }

    def count_request(self) -> None:
        """Count the current request. Raises QuotaExceeded and RedisError."""
        self._count("requests", self.of_caller()["requests_per_minute"], 1)

    def count_prompts(self, prompts: int) -> None:
        """Count prompts that the current request asks for.

        Raises OvsegError `too_many_prompts` if no minute allows as many, QuotaExceeded and RedisError.
        """
        quota = self.of_caller()["prompts_per_minute"]
        if quota is not None and prompts > quota:
            message = f"these are {prompts:,} prompts, and {quota:,} may be sent in a minute; send fewer"
            raise OvsegError("too_many_prompts", message, "prompts")
        self._count("prompts", quota, prompts)

    def _count(self, policy: str, quota: int | None, cost: int) -> None:
        if quota is None or cost == 0:
            return
        try:
            is_allowed, window = self.use(policy, quota, cost, caller().key_id or "-")
        except ResponseError as error:
            if not (outage.is_of_writes(error) or isinstance(error, OutOfMemoryError)):
                raise
            # Redis can be read: requests that only read must not fail because they cannot be counted.
            log.warning("requests are not limited while Redis takes no writes: %s", error)
            return
        remaining = max(quota - window.used, 0)
        if is_allowed:
            quota_headers.show(policy, quota, remaining, window.left)
            return
        retry_after = window.retry_after(quota - cost)
        message = f"{quota:,} {policy} may be sent in a minute; try again in {retry_after} s"
        raise QuotaExceeded(policy, quota, remaining, message, retry_after)

    def use(self, policy: str, quota: int, cost: int, who: str) -> tuple[bool, Window]:
        """Use a part of someone's quota, if that much is left. Returns whether it was, and what is counted now."""
        item = RateLimitItemPerMinute(quota, namespace=policy)
        is_allowed = self._limiter.hit(item, who, cost=cost)
        before, _, current, left = self._storage.get_sliding_window(item.key_for(who), MINUTE)
        # The library keeps the counter of a minute for two.
        return is_allowed, Window(before, current, max(left - MINUTE, 0))


def guard(app: Flask) -> None:
    """Count each request whose view needs a key."""
    services = app.extensions["ovseg"]

    @app.before_request
    def count() -> None:
        has_view = request.endpoint is not None and request.method != "OPTIONS"
        if has_view and not auth.is_open(services.settings) and not handover.is_resumed():
            services.rate_limits.count_request()
