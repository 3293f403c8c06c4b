"""Clients that do not give up: each sends its job, with its Idempotency-Key, until it is accepted.

A job whose image is uploaded first names the same upload in all its requests, as a client would that stored the id.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import requests

from tests.chaos import uploads
from tests.chaos.callers import Callers
from tests.chaos.order import Order
from worker.access.api_key import KeyText

THREADS = 16
PAUSE_SECONDS = 0.25
ANSWER_SECONDS = 30.0  # longer than any answer should take
TWICE = 0.1  # the share of jobs that are sent twice at the same time, as by an impatient client


class Clients:
    """Send one job after the other, evenly over `seconds`. `accepted` has the ids of each job number's answers."""

    def __init__(self, url: str, callers: Callers, webhook_url: str, jobs: int, seconds: float, seed: int) -> None:
        self.accepted: dict[int, set[str]] = defaultdict(set)
        self.answers: Counter[str] = Counter()  # by status, or by the name of the error
        self.slowest_seconds = 0.0
        self.in_flight = 0
        self._url, self._callers, self._webhook_url = url, callers, webhook_url
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, "client")
        self._sent: list[Future[None]] = []
        self._thread = threading.Thread(target=self._pace, args=(jobs, seconds, random.Random(seed)), daemon=True)
        self._thread.start()

    @property
    def are_done(self) -> bool:
        return not self._thread.is_alive() and all(sent.done() for sent in self._sent)

    def stop(self) -> None:
        """Stop all clients. Raises what a client raised."""
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown()
        for sent in self._sent:
            sent.result()

    def _pace(self, jobs: int, seconds: float, dice: random.Random) -> None:
        start = time.monotonic()
        for n in range(jobs):
            if self._stopping.wait(max(0.0, start + seconds * n / jobs - time.monotonic())):
                return
            order = Order(n)
            upload = self._pool.submit(self._upload, order) if order.has_upload else None
            for _ in range(2 if dice.random() < TWICE else 1):
                self._sent.append(self._pool.submit(self._send, order, upload))

    def _upload(self, order: Order) -> str:
        return uploads.put(self._url, lambda: self._callers.headers(order.tenant), order.image, self._stopping)

    def _send(self, order: Order, upload: Future[str] | None) -> None:
        body = order.body(self._webhook_url, upload.result() if upload else None)
        with requests.Session() as session:
            while not self._stopping.is_set():
                key = self._callers.key(order.tenant)
                outcome = self._try(session, order, body, key)
                if outcome == "202":
                    return
                is_revoked = key != self._callers.key(order.tenant)
                if not (outcome == "401" and is_revoked):
                    assert not outcome.startswith("4"), f"job {order.n} was answered {outcome}"
                time.sleep(PAUSE_SECONDS)

    def _try(self, session: requests.Session, order: Order, body: Mapping[str, Any], key: KeyText) -> str:
        start = time.monotonic()
        with self._lock:
            self.in_flight += 1
        try:
            answer = session.post(
                f"{self._url}/v1/jobs",
                json=body,
                headers={"Idempotency-Key": order.key, "Authorization": f"Bearer {key}"},
                timeout=ANSWER_SECONDS,
            )
            outcome = str(answer.status_code)
        except requests.RequestException as error:
            outcome = type(error).__name__
        with self._lock:
            self.in_flight -= 1
            self.answers[outcome] += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - start)
            if outcome == "202":
                self.accepted[order.n].add(answer.json()["id"])
        return outcome
