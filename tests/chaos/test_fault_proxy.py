"""The proxy does to connections what each fault promises."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos import fault_proxy
from tests.chaos.fault_proxy import DELAY_SECONDS, Fault, FaultProxy


@pytest.fixture
def echo() -> Iterator[tuple[FaultProxy, list[bytes]]]:
    """A proxy in front of an echo server, and the list of what the server received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(peer: socket.socket) -> None:
            with peer:
                try:
                    while data := peer.recv(100):
                        received.append(data)
                        peer.sendall(data)
                except OSError:
                    pass

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        with fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port)) as proxy:
            yield proxy, received
        server.shutdown(socket.SHUT_RDWR)


def connected(proxy: FaultProxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), 30)
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"
    return client


def is_silent(client: socket.socket) -> bool:
    client.settimeout(0.5)
    try:
        client.recv(100)
    except TimeoutError:
        return True
    finally:
        client.settimeout(30)
    return False


def is_reset(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_it_delays(echo: tuple[FaultProxy, list[bytes]]) -> None:
    proxy, _ = echo
    with connected(proxy) as client:
        proxy.inflict(Fault.DELAY)
        start = time.monotonic()
        client.sendall(b"later")
        assert client.recv(100) == b"later"
        assert time.monotonic() - start >= DELAY_SECONDS


def test_it_cuts_open_and_new_connections(echo: tuple[FaultProxy, list[bytes]]) -> None:
    proxy, _ = echo
    with connected(proxy) as client:
        proxy.inflict(Fault.CUT)
        assert is_reset(client)
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as client:
        assert is_reset(client)
    proxy.inflict(Fault.NONE)
    connected(proxy).close()


@pytest.mark.parametrize(("fault", "arrives"), [(Fault.HOLE, False), (Fault.DEAF, True)])
def test_it_swallows_and_later_closes_a_connection_that_lost_bytes(
    echo: tuple[FaultProxy, list[bytes]], fault: Fault, arrives: bool
) -> None:
    proxy, received = echo
    with connected(proxy) as client:
        proxy.inflict(fault)
        client.sendall(b"lost")
        assert is_silent(client)
        assert (b"lost" in received) is arrives
        proxy.inflict(Fault.NONE)
        assert is_reset(client)
    connected(proxy).close()
