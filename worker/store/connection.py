"""How redis-py and Celery's kombu connect to Redis; they take its address in different forms."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from configs import redis_address
from configs.redis_address import RedisAddress
from configs.settings import Settings

# A call to Redis takes well under a millisecond. If one takes seconds, the server is unreachable, and the client that
# waits for an answer should get an error.
CALL_TIMEOUT_SECONDS = 2.0
# For threads that do not answer requests: they archive jobs, move images to storage, listen for the ends of jobs, and
# check readiness.
SPARE_CONNECTIONS = 100


def connect(settings: Settings) -> Redis:
    """Return a client whose answers are str. It is thread-safe and opens connections as needed."""
    address = redis_address.parse(settings.redis_url)
    where = {"unix_socket_path": address.path} if address.path else {"host": address.host, "port": address.port}
    return Redis(
        **where,
        db=address.database,
        username=address.username,
        password=address.password,
        ssl=address.has_tls,
        **(tls(settings) or {}),
        decode_responses=True,
        socket_timeout=CALL_TIMEOUT_SECONDS,
        socket_connect_timeout=CALL_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),  # the caller decides whether and how often to retry
        health_check_interval=30,
        # One for each thread of a gateway; with redis-py's default of 100, the 101st thread would get an error.
        max_connections=settings.gateway_threads + SPARE_CONNECTIONS,
    )


def tls(settings: Settings) -> dict[str, Any] | None:
    """Return the TLS options of redis-py and kombu: how to verify the server, and our certificate. None without TLS."""
    if not redis_address.parse(settings.redis_url).has_tls:
        return None
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_cert_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    verified = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return verified | {name: str(file) for name, file in files.items() if file is not None}


def broker_url(settings: Settings) -> str:
    """Return the address of the same server in the form that kombu takes."""
    address = redis_address.parse(settings.redis_url)
    if address.path:
        return f"redis+socket://{_user(address)}{_escaped(address.path, '/')}?virtual_host={address.database}"
    scheme = "rediss" if address.has_tls else "redis"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{scheme}://{_user(address)}{host}:{address.port}/{address.database}"


def _user(address: RedisAddress) -> str:
    if not (address.username or address.password):
        return ""
    password = f":{_escaped(address.password)}" if address.password else ""
    return f"{_escaped(address.username or '')}{password}@"


def _escaped(text: str, safe: str = "") -> str:
    return quote(text, safe=safe)
