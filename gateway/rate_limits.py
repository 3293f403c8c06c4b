"""Limits how many requests and prompts a key may send in a minute, with the library `limits`.

The counters are in Redis, so all gateways share them. The window slides: of the minute before the current one, the part
that is still within the last 60 seconds counts. A fixed window would allow twice the quota around its end, and a list
of times takes memory for each prompt. A request that is refused counts nothing.

A caller without a key shares its counters with all others without one.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

from flask import Flask, Response, request
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import OutOfMemoryError, ResponseError

from configs.settings import Settings
from gateway import auth, handover
from gateway.caller import caller
from ovseg_core.errors import OvsegError
from worker.access.quota import QuotaExceeded
from worker.store import outage
from worker.store.keyspace import Keyspace

log = logging.getLogger(__name__)

STANDINGS = "ovseg.rate_limits"  # in the environ: a held request runs twice, and counts once
WINDOW_SECONDS = RateLimitItemPerMinute(1).get_expiry()


@dataclass(frozen=True)
class Window:
    """What is counted: the minute before, and the current one, which ends in `left` seconds."""

    before: int
    current: int
    left: float

    @property
    def used(self) -> int:
        """How much of the quota is used, as the library rounds it."""
        return math.floor(self.before * self.left / WINDOW_SECONDS) + self.current

    def retry_after(self, at_most: int) -> int:
        """Return after how many whole seconds no more than `at_most` is used, if nothing is added."""
        if self.current <= at_most:  # the minute before only has to slide out far enough
            slides = self.left - (at_most - self.current + 1) * WINDOW_SECONDS / max(self.before, 1)
        else:  # then the current one has to do that
            slides = self.left + WINDOW_SECONDS - (at_most + 1) * WINDOW_SECONDS / self.current
        return math.floor(max(slides, 0)) + 1


@dataclass(frozen=True)
class Standing:
    """What a policy allows, and what is left of it."""

    policy: str
    quota: int
    remaining: int
    resets_at: float  # time.monotonic

    @property
    def policy_item(self) -> str:
        """An item of RateLimit-Policy."""
        return f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS};qu="{self.policy}"'

    @property
    def item(self) -> str:
        """An item of RateLimit."""
        return f'"{self.policy}";r={self.remaining};t={max(math.ceil(self.resets_at - time.monotonic()), 0)}'


class RateLimits:
    """Counts the requests and prompts of the current request's caller. Thread-safe."""

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        # It shares our connections, and so the address, TLS and time-outs; of the URL only the scheme is used.
        pool, prefix = keyspace.redis.connection_pool, keyspace.key("rate")
        self._storage = RedisStorage("redis://", connection_pool=pool, key_prefix=prefix)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._settings = settings

    def count_request(self) -> None:
        """Count the current request. Raises QuotaExceeded and RedisError."""
        self._count("requests", caller().rates.requests_per_minute or self._settings.requests_per_minute, 1)

    def count_prompts(self, prompts: int) -> None:
        """Count prompts that the current request asks for.

        Raises OvsegError `too_many_prompts` if no minute allows as many, QuotaExceeded and RedisError.
        """
        quota = caller().rates.prompts_per_minute or self._settings.prompts_per_minute
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
        retry_after = window.retry_after(quota - cost)
        resets_in = window.left if is_allowed else retry_after
        standing = Standing(policy, quota, max(quota - window.used, 0), time.monotonic() + resets_in)
        _standings().append(standing)
        if not is_allowed:
            message = f"{quota:,} {policy} may be sent in a minute; try again in {retry_after} s"
            raise QuotaExceeded(policy, message, retry_after)

    def use(self, policy: str, quota: int, cost: int, who: str) -> tuple[bool, Window]:
        """Use a part of someone's quota, if that much is left. Returns whether it was, and what is counted now."""
        item = RateLimitItemPerMinute(quota, namespace=policy)
        is_allowed = self._limiter.hit(item, who, cost=cost)
        before, _, current, left = self._storage.get_sliding_window(item.key_for(who), WINDOW_SECONDS)
        # The library keeps the counter of a minute for two.
        return is_allowed, Window(before, current, max(left - WINDOW_SECONDS, 0))


def guard(app: Flask) -> None:
    """Count each request whose view needs a key, and add the headers of the limits to its answer."""
    services = app.extensions["ovseg"]

    @app.before_request
    def count() -> None:
        has_view = request.endpoint is not None and request.method != "OPTIONS"
        if has_view and not auth.is_open(services.settings) and not handover.is_resumed():
            services.rate_limits.count_request()

    @app.after_request
    def add_headers(response: Response) -> Response:
        if standings := _standings():
            response.headers["RateLimit-Policy"] = ", ".join(standing.policy_item for standing in standings)
            response.headers["RateLimit"] = ", ".join(standing.item for standing in standings)
        return response


def _standings() -> list[Standing]:
    standings: list[Standing] = request.environ.setdefault(STANDINGS, [])
    return standings
