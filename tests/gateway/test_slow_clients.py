"""Clients that are slow or have hung up take a socket for a while, but no thread, no hold and no memory."""

from __future__ import annotations

import base64
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from configs.settings import Settings
from tests.support import lone_gateway, pictures, slow_clients
from tests.support.lone_gateway import SECONDS, LoneGateway
from tests.support.waiting import PATIENCE_SECONDS, wait_until

EACH = 300
BOX = [10, 10, 200, 200]
PHOTO = base64.b64encode(pictures.photo()).decode()
PADDLEX = {"image": PHOTO, "prompt": [BOX], "promptType": "box", "visualize": False}


def is_alive_within(gateway: LoneGateway, seconds: float) -> bool:
    start = time.monotonic()
    answer = requests.get(f"{gateway.url}/healthz", timeout=90)
    return answer.status_code == 200 and time.monotonic() - start < seconds


def connect(gateway: LoneGateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=60)


def queued_job(gateway: LoneGateway) -> str:
    answer = requests.post(f"{gateway.url}/v1/jobs", json={"image": PHOTO, "prompts": [{"box": BOX}]}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def paddlex_calls(gateway: LoneGateway, count: int, pool: ThreadPoolExecutor) -> tuple[list[Any], list[str]]:
    """Start calls of PaddleX's route, which are held; return them and the ids of their jobs."""
    before = {job["id"] for job in requests.get(f"{gateway.url}/v1/jobs?limit=100", timeout=30).json()["jobs"]}
    calls = [
        pool.submit(requests.post, f"{gateway.url}/open-vocabulary-segmentation", json=PADDLEX, timeout=60)
        for _ in range(count)
    ]
    new: list[str] = []

    def all_accepted() -> bool:
        jobs = requests.get(f"{gateway.url}/v1/jobs?limit=100", timeout=30).json()["jobs"]
        new[:] = [job["id"] for job in jobs if job["id"] not in before]
        return len(new) == count

    wait_until(all_accepted)
    return calls, new


def cancel(gateway: LoneGateway, job_id: str) -> None:
    assert requests.post(f"{gateway.url}/v1/jobs/{job_id}/cancel", timeout=30).status_code == 200


def test_300_slow_clients_of_each_kind_are_refused_and_other_clients_are_answered(
    gateway: LoneGateway,
) -> None:
    threads = gateway.status("Threads")
    with slow_clients.crowd(gateway.port, EACH) as crowd:
        assert is_alive_within(gateway, 60)  # the gateway has accepted all of them
        until = time.monotonic() + SECONDS / 2
        while time.monotonic() < until:
            assert is_alive_within(gateway, 60)  # if each of them held a thread for its time, this took many minutes
            time.sleep(0.2)
        assert gateway.status("Threads") - threads < 20
        ends = crowd.ends(seconds=PATIENCE_SECONDS)
    assert ends.pop("silent") == {b""}
    assert ends == {kind: {b"408"} for kind in ends}


def test_300_clients_that_hang_up_while_they_wait_do_not_block_other_clients(gateway: LoneGateway) -> None:
    job_id = queued_job(gateway)
    with ThreadPoolExecutor(20) as pool:
        slow_clients.hang_up(gateway.port, f"/v1/jobs/{job_id}?wait=60", EACH)
        calls, jobs = paddlex_calls(gateway, 20, pool)
        wait_until(lambda: gateway.count_clients() < 40)
        assert not any(call.done() for call in calls)  # PaddleX's route does not answer 504 before its timeout
        for waiting in jobs:
            cancel(gateway, waiting)
        answers = [call.result(60) for call in calls]
    assert {answer.status_code for answer in answers} == {409}


def test_300_clients_wait_on_four_threads_and_are_answered_when_the_job_ends(gateway: LoneGateway) -> None:
    slow_clients.allow_files(EACH + 500)
    job_id, other_id = queued_job(gateway), queued_job(gateway)
    request = f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    clients = [connect(gateway) for _ in range(EACH)]
    try:
        for client in clients:
            client.sendall(request)
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(requests.get, f"{gateway.url}/v1/jobs/{other_id}?wait=60", timeout=90)
            assert is_alive_within(gateway, 40)  # it reads all requests first; if each held a thread, this took 60 s
            time.sleep(0.5)
            assert not other.done(), other.result().text
            cancel(gateway, other_id)
            assert other.result(60).json()["status"] == "canceled"
        cancel(gateway, job_id)
        start = time.monotonic()
        for client in clients:
            with client.makefile("rb") as answer:
                assert b'"canceled"' in answer.read()
        assert time.monotonic() - start < 20
    finally:
        for client in clients:
            client.close()


def test_40_submissions_wait_on_four_threads_and_are_answered_when_their_jobs_end(gateway: LoneGateway) -> None:
    names = [f"waits-{uuid.uuid4().hex}" for _ in range(40)]
    body = {"image": PHOTO, "prompts": [{"box": BOX}]}

    def submit(name: str) -> requests.Response:
        return requests.put(f"{gateway.url}/v1/jobs/{name}?wait=60", json=body, timeout=90)

    def all_accepted() -> bool:
        jobs = requests.get(f"{gateway.url}/v1/jobs?limit=100", timeout=30).json()["jobs"]
        return {job["id"] for job in jobs} >= set(names)

    threads = gateway.status("Threads")
    with ThreadPoolExecutor(len(names)) as pool:
        calls = [pool.submit(submit, name) for name in names]
        wait_until(all_accepted)
        assert not any(call.done() for call in calls)
        assert gateway.status("Threads") - threads < 20  # those of the archive, not one for each wait
        for name in names:
            cancel(gateway, name)
        answers = [call.result(60) for call in calls]
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "canceled")}


def test_a_client_that_closes_its_sending_side_is_answered(gateway: LoneGateway) -> None:
    job_id = queued_job(gateway)
    with connect(gateway) as client:
        client.sendall(f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 200 ")


def test_half_sent_bodies_are_not_in_memory(s3_settings: Settings) -> None:
    settings = s3_settings.model_copy(update={"gateway_threads": 4})
    with lone_gateway.running(settings, is_patient=True) as gateway:  # a busy machine needs seconds to send it all
        before = gateway.status("VmRSS")
        head = slow_clients.HEAD + b"Content-Length: 31000000\r\n\r\n"
        clients = [connect(gateway) for _ in range(12)]
        try:
            for client in clients:
                client.sendall(head + bytes(30_000_000))
            assert is_alive_within(gateway, 20)
            assert gateway.status("VmRSS") - before < 100_000
        finally:
            for client in clients:
                client.close()


def test_a_client_that_does_not_read_its_answer_is_disconnected(gateway: LoneGateway) -> None:
    clients = [connect(gateway) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(b"GET /large/30000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: gateway.count_clients() >= 5)
        assert is_alive_within(gateway, 2)
        wait_until(lambda: gateway.count_clients() == 0)
    finally:
        for client in clients:
            client.close()


def test_a_gateway_that_stops_first_answers_held_and_half_sent_requests(s3_settings: Settings) -> None:
    with lone_gateway.running(s3_settings, is_patient=True) as leaving:  # the rest of a request comes seconds later
        job_id = queued_job(leaving)
        body = b'{"image": 1}'
        head = slow_clients.HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
        with connect(leaving) as sending, connect(leaving) as idle, connect(leaving) as waiting:
            waiting.sendall(f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
            sending.sendall(head + body[:5])
            leaving.process.terminate()
            assert waiting.recv(1000).startswith(b"HTTP/1.1 200 ")
            sending.sendall(body[5:])
            assert sending.recv(1000).startswith(b"HTTP/1.1 422 ")
            assert leaving.process.wait(60) == 0
