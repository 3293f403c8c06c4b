"""One Redis, told to redis-py and to Celery's kombu, who write its address differently."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from configs.settings import Settings

# A call to Redis takes well under a millisecond; one that takes seconds is one to a server that is away, and the
# client who waits behind it should be told so.
CALL_TIMEOUT_SECONDS = 2.0


def connect(settings: Settings, as_bytes: bool = False) -> Redis:
    """A client (thread-safe, connections made as needed) whose answers are str, or bytes if asked."""
    return Redis.from_url(
        settings.redis_url,
        decode_responses=not as_bytes,
        socket_timeout=CALL_TIMEOUT_SECONDS,
        socket_connect_timeout=CALL_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),  # whoever calls knows better whether, and how often
        health_check_interval=30,
    )


def broker_url(settings: Settings) -> str:
    """The same server as kombu names it: unix:///path?db=0 is redis+socket:///path?virtual_host=0 there."""
    url = settings.redis_url
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}" + (f"?{query.replace('db=', 'virtual_host=')}" if query else "")
