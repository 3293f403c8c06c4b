"""`ovseg health`: check whether a part of the service works on this host, for container probes.

A probe runs every few seconds, so this loads no network; it takes a few tenths of a second of CPU.
"""

from __future__ import annotations

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

from redis import RedisError

from configs.settings import Settings
from ovseg import address
from worker.process import pulse, roster
from worker.process.pulse import Sign
from worker.store.keyspace import Keyspace

GATEWAY_SECONDS = 3.0  # to answer `/healthz`, for which the gateway asks no other server


class Unhealthy(Exception):
    """The part does not work; the message says what is wrong, in one line."""


def check(part: str, settings: Settings) -> str:
    """Return one line about a healthy part. Raises Unhealthy."""
    return _gateway(settings) if part == "gateway" else _processes(part, settings)


def _gateway(settings: Settings) -> str:
    url = address.of_gateway(settings.gateway_host, settings.gateway_port)
    parts = urlsplit(url)
    # http.client, because it uses no proxy
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=GATEWAY_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unhealthy(f"gateway: no answer at {url}/healthz: {error}") from None
    finally:
        connection.close()
    if status != http.client.OK:
        raise Unhealthy(f"gateway: {url}/healthz answers {status}")
    return f"gateway: {url} answers"


def _processes(part: str, settings: Settings) -> str:
    """Check that a process of this part runs on this host, and that every loop of each process is on time."""
    host = socket.gethostname()
    try:
        with Keyspace.open(settings) as keyspace:
            signs = pulse.of_host(keyspace, part, host)
            beating = roster.names(keyspace) if part == "worker" else set()
    except RedisError as error:
        raise Unhealthy(f"{part}: Redis is unreachable at {_without_password(settings.redis_url)}: {error}") from None
    running = [sign for sign in signs if Path(f"/proc/{sign.pid}").exists()]
    if not running:
        raise Unhealthy(f"{part}: no process on {host} has reported a sign of life")
    for sign in running:
        if sign.late_seconds:
            raise Unhealthy(f"{part}: process {sign.pid} hangs: its loop {_late(sign)}")
        if part == "worker" and f"{host}:{sign.pid}" not in beating:
            raise Unhealthy(
                f"{part}: process {sign.pid} hangs: its heartbeat has stopped, and other workers take its jobs"
            )
    pids = sorted({sign.pid for sign in running})
    return f"{part}: {'process' if len(pids) == 1 else 'processes'} {', '.join(map(str, pids))} on {host} on time"


def _late(sign: Sign) -> str:
    return f"`{sign.loop}` should have reported {sign.late_seconds:.0f} s ago"


def _without_password(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://{after}" if at else url
