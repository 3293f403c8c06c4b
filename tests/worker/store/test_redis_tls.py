"""Every connection to Redis verifies the server and sends our certificate: a real Valkey behind TLS."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from kombu.exceptions import OperationalError
from redis import RedisError

from configs import redis_address
from configs.settings import Settings
from ovseg.embedded import certificates
from tests.conftest import WEBHOOK_SECRET
from worker.store import queue
from worker.store.keyspace import Keyspace


@contextmanager
def tls_in_front(socket_path: str, server: Path, clients: Path | None = None) -> Iterator[int]:
    """Listen with TLS on every 127.x.x.x and forward to a unix socket. Yields the port.

    With `clients`, only a client that has this certificate can connect.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    listener = socket.create_server(("0.0.0.0", 0))
    thread = threading.Thread(target=_accept, args=(listener, context, socket_path), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def _accept(listener: socket.socket, context: ssl.SSLContext, socket_path: str) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(plain, context, socket_path), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, socket_path: str) -> None:
    with plain, socket.socket(socket.AF_UNIX) as far:
        try:
            with context.wrap_socket(plain, server_side=True) as near:
                far.connect(socket_path)
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join()
        except OSError:  # the client refused the server, or the server the client
            return


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Return the certificate and key of the server, which no client trusts yet."""
    return _new(tmp_path / "server.pem")


@pytest.fixture
def client(tmp_path: Path) -> Path:
    return _new(tmp_path / "client.pem")


def _new(path: Path) -> Path:
    path.write_bytes(certificates.new(datetime.now(UTC)))
    return path


@pytest.fixture
def valkey_socket(redis_url: str) -> str:
    return redis_address.parse(redis_url).path


def by_redis_py(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        assert keyspace.redis.ping()


def by_celery(settings: Settings) -> None:
    with queue.create(settings).connection_for_read(transport_options={"max_retries": 0}) as connection:
        connection.default_channel.client.ping()


REFUSALS = (RedisError, OperationalError)
EVERY_CLIENT = pytest.mark.parametrize("ping", [by_redis_py, by_celery])


@EVERY_CLIENT
def test_a_server_with_an_unknown_certificate_is_refused(
    ping: Callable[[Settings], None], valkey_socket: str, server: Path
) -> None:
    with tls_in_front(valkey_socket, server) as port, pytest.raises(REFUSALS, match="CERTIFICATE_VERIFY"):
        ping(Settings(redis_url=f"rediss://127.0.0.1:{port}/0"))


@EVERY_CLIENT
def test_a_server_with_a_certificate_for_another_name_is_refused(
    ping: Callable[[Settings], None], valkey_socket: str, server: Path
) -> None:
    with tls_in_front(valkey_socket, server) as port, pytest.raises(REFUSALS, match="IP address mismatch"):
        ping(Settings(redis_url=f"rediss://127.0.0.2:{port}/0", redis_ca_file=server))


@EVERY_CLIENT
def test_a_server_with_a_trusted_certificate_is_accepted(
    ping: Callable[[Settings], None], valkey_socket: str, server: Path
) -> None:
    with tls_in_front(valkey_socket, server) as port:
        ping(Settings(redis_url=f"rediss://127.0.0.1:{port}/0", redis_ca_file=server))


@EVERY_CLIENT
def test_a_server_that_requires_a_certificate_gets_one(
    ping: Callable[[Settings], None], valkey_socket: str, server: Path, client: Path
) -> None:
    with tls_in_front(valkey_socket, server, clients=client) as port:
        url = f"rediss://127.0.0.1:{port}/0"
        with pytest.raises(REFUSALS):
            ping(Settings(redis_url=url, redis_ca_file=server))
        ping(Settings(redis_url=url, redis_ca_file=server, redis_cert_file=client))


def test_a_message_reaches_a_process_of_the_service_through_tls(
    settings: Settings, valkey_socket: str, server: Path, client: Path, tmp_path: Path
) -> None:
    shutil.copy(client, tmp_path / "key.pem")
    with tls_in_front(valkey_socket, server, clients=client) as port:
        behind_tls = {
            "OVSEG_REDIS_URL": f"rediss://127.0.0.1:{port}/0",
            "OVSEG_REDIS_PREFIX": settings.redis_prefix,
            "OVSEG_REDIS_CA_FILE": str(server),
            "OVSEG_REDIS_CERT_FILE": str(client),
            "OVSEG_REDIS_KEY_FILE": str(tmp_path / "key.pem"),
            "OVSEG_WEBHOOK_SECRET": str(settings.webhook_secret),
            "OVSEG_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        }
        sender = subprocess.Popen(
            [sys.executable, "-P", "-m", "ovseg", "webhooks"],
            env=os.environ | behind_tls,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            with Keyspace.open(settings) as keyspace:
                app, waiting = queue.create(settings), keyspace.key(f"q:{queue.WEBHOOK_QUEUE}")
                message = queue.message(app, queue.DELIVER, queue.WEBHOOK_QUEUE, "evt_there_is_none")
                keyspace.redis.lpush(waiting, message)
                deadline = time.monotonic() + 60
                while keyspace.redis.llen(waiting):
                    assert time.monotonic() < deadline
                    assert sender.poll() is None
                    time.sleep(0.05)
        finally:
            sender.terminate()
            log, _ = sender.communicate(timeout=60)
    assert "ready, taking from webhook" in log


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", {"host": "h", "port": 6379, "db": 0}),
        ("redis://h:7000/3", {"host": "h", "port": 7000, "db": 3}),
        ("redis://h?db=4", {"host": "h", "db": 4}),
        ("rediss://u%40x:p%3B%2B%25%2F%23%3F@[::1]:7000/2", {"host": "::1", "username": "u@x", "password": "p;+%/#?"}),
        ("redis://:only%20password@h/1", {"password": "only password", "username": None, "db": 1}),
        ("unix:///a%20b/c;d%23.sock?db=5", {"path": "/a b/c;d#.sock", "db": 5}),
        ("unix://u:p%3Bq@/a.sock", {"path": "/a.sock", "username": "u", "password": "p;q", "db": 0}),
    ],
)
def test_redis_py_and_celery_read_an_address_in_the_same_way(url: str, expected: dict[str, Any]) -> None:
    settings = Settings(redis_url=url)
    ours = Keyspace.open(settings).redis.connection_pool.connection_kwargs
    transport = queue.create(settings).connection_for_read().transport
    channel = transport.Channel.__new__(transport.Channel)  # without __init__, which connects
    channel.connection = transport
    theirs = channel._connparams()
    for name, value in expected.items():
        assert (ours.get(name), theirs.get(name)) == (value, value), name


@pytest.mark.parametrize("ping", [by_redis_py, by_celery])
def test_a_name_and_a_password_of_any_characters_are_understood(
    ping: Callable[[Settings], None], settings: Settings, valkey_socket: str
) -> None:
    name, password = "te:st@er", "p;+%/#?@:[] \u00e9"
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.acl_setuser(name, enabled=True, passwords=[f"+{password}"], keys=["*"], categories=["+@all"])
        try:
            ping(Settings(redis_url=f"unix://{quote(name, safe='')}:{quote(password, safe='')}@{valkey_socket}"))
            with pytest.raises(REFUSALS, match="invalid username-password"):
                ping(Settings(redis_url=f"unix://{quote(name, safe='')}:wrong@{valkey_socket}"))
        finally:
            keyspace.redis.acl_deluser(name)


@pytest.mark.parametrize("server", ["rediss://:{}@127.0.0.1:9/0", "unix://:{}@/nobody/listens.sock"])
def test_a_process_that_cannot_reach_redis_does_not_log_the_password(server: str) -> None:
    password = "hunter2"
    unreachable = {
        "OVSEG_REDIS_URL": server.format(password),
        "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "OVSEG_S3_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    lines = []
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "ovseg", "webhooks"],
        env=os.environ | unreachable,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as sender:
        assert sender.stdout is not None
        for line in sender.stdout:
            lines.append(line)
            if "Cannot connect to" in line:
                sender.kill()
    log = "".join(lines)
    assert "Cannot connect to" in log
    assert password not in log


def test_the_environment_variables_of_another_celery_program_are_ignored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "redis://another.example:1/0")
    app = queue.create(settings)
    assert "another.example" not in app.connection_for_read().as_uri() + app.connection_for_write().as_uri()
