"""A run against one `ovseg up`: requests, then images, then bombs and slow hosts with a normal job next to them."""

from __future__ import annotations

import base64
import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from tests.attack import http_requests, image_files, wire
from tests.attack.scale import Scale
from tests.attack.verdict import SLOWEST_NEIGHBOUR_SECONDS, Verdict
from tests.attack.watch import Watch
from tests.support import bombs, drips, fakes, pictures
from tests.support.service import Service

Kind = TypeVar("Kind")

THREADS = 8
PROMPT = [{"box": [1, 1, 12, 12]}]


@dataclass(frozen=True)
class Outcome:
    scale: Scale
    seconds: float
    verdict: Verdict
    slowest_answer_seconds: float
    neighbours: dict[str, float]  # seconds until the normal job succeeded, by what ran next to it
    memory_mb: dict[str, tuple[float, float, float]]  # by role: at the start, at most, at the end


class Attack:
    """One run. It remembers the jobs that were accepted, and asks for them at the end."""

    def __init__(self, service: Service, scale: Scale, seed: int, show: bool) -> None:
        self.verdict = Verdict()
        self.slowest_seconds = 0.0
        self.neighbours: dict[str, float] = {}
        self._service, self._scale, self._show = service, scale, show
        self._dice = random.Random(seed)
        self._accepted: set[str] = set()

    def requests(self) -> None:
        make = http_requests.nearly_valid(pictures.noise(20, 20))
        half = self._scale.requests // 2
        crude = (http_requests.crude(self._dice) for _ in range(half))
        nearly = (make(self._dice) for _ in range(half))
        self._send("crude requests", list(crude), is_all=True)
        self._send("nearly valid requests", list(nearly))

    def images(self) -> None:
        files = image_files.mutated(self._scale.images, self._dice)
        self._send("mutated images", [http_requests.with_image(file) for file in files])

    def bombs(self) -> None:
        """Submit four bombs of each kind at the same time, as many as a worker runs."""
        for name, make in _first(bombs.EVERY, self._scale.kinds):
            self._run_next_to(name, [http_requests.with_image(make())] * 4)

    def hosts(self, host: fakes.Host) -> None:
        for name, answer in _first(drips.ALL, self._scale.kinds):
            path = f"/{name.replace(' ', '-')}"
            host.answers[path] = answer
            fields = json.dumps({"image": host.url(path), "prompts": PROMPT}).encode()
            request = wire.build("POST", "/v1/jobs", [("Content-Type", "application/json")], fields)
            self._run_next_to(f"image host that drips: {name}", [request] * 4)

    def settle(self) -> None:
        """Wait until every job that was accepted since the last call has ended."""
        deadline = time.monotonic() + self._scale.patience_seconds
        with ThreadPoolExecutor(THREADS) as pool:
            waits = pool.map(lambda job_id: self._end_of(job_id, deadline), sorted(self._accepted))
            bar = tqdm(waits, "jobs that must end", len(self._accepted), disable=not self._show, mininterval=1)
            for job_id, job in bar:
                self.verdict.add_job(job, job_id)
        self._accepted.clear()
        self.verdict.broken["processes that exited"] = [x for x in self._service.lines if "restarting it" in x]

    def _send(self, what: str, requests: Sequence[bytes], is_all: bool = False) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = pool.map(lambda request: wire.send(self._service.port, request, is_all), requests)
            bar = tqdm(answers, what, len(requests), disable=not self._show, mininterval=1)
            for request, answer in zip(requests, bar, strict=True):
                self.verdict.add_answer(request, answer)
                self.slowest_seconds = max(self.slowest_seconds, answer.seconds)
                if answer.status in (200, 201, 202) and (job_id := _job_id(answer.body)):
                    self._accepted.add(job_id)

    def _run_next_to(self, name: str, hostile: list[bytes]) -> None:
        """Submit a normal job right after hostile ones."""
        self._send(name, hostile)
        start = time.monotonic()
        job = self._normal_job(start + SLOWEST_NEIGHBOUR_SECONDS)
        self.neighbours[name] = time.monotonic() - start
        self.verdict.add_neighbour(name, self.neighbours[name], job["status"] if job else "not accepted")

    def _normal_job(self, deadline: float) -> dict[str, Any] | None:
        """Return a normal job when it has ended, or at the deadline. A request with the answer 503 is repeated."""
        job: dict[str, Any] | None = None
        fields = {"image": _photo(), "prompts": PROMPT}
        while time.monotonic() < deadline and (job is None or job["completed_at"] is None):
            if job is None:
                answer = self._service.post("/v1/jobs", json=fields)
            else:
                answer = self._service.get(f"/v1/jobs/{job['id']}", params={"wait": 10})
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                time.sleep(1)
                continue
            answer.raise_for_status()
            job = answer.json()
        return job

    def _end_of(self, job_id: str, deadline: float) -> tuple[str, dict[str, Any] | None]:
        while True:
            answer = self._service.get(f"/v1/jobs/{job_id}", params={"wait": 20})
            job: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                time.sleep(1)
            if answer.status_code in (404, 410) or time.monotonic() > deadline:
                return job_id, job
            if job is not None and job["completed_at"] is not None:
                return job_id, job


def run(scale: Scale, folder: Path, seed: int, show: bool = False) -> Outcome:
    start = time.monotonic()
    with fakes.host() as host:
        settings = {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "3",
            "OVSEG_MAX_EVERYTHING_POINTS": "100",  # more take a minute, and there are many such jobs
        }
        service = Service(folder, settings)
        try:
            service.wait_until_ready()
            watch = Watch(service.process.pid)
            time.sleep(2)
            before = dict(watch.now)
            attack = Attack(service, scale, seed, show)
            attack.requests()
            attack.images()
            attack.settle()
            attack.bombs()
            attack.hosts(host)
            attack.settle()
            time.sleep(2)
            watch.close()
            attack.verdict.add_memory(watch.peak)
        finally:
            service.stop()
    memory = {role: (before.get(role, 0.0), peak, watch.now.get(role, 0.0)) for role, peak in watch.peak.items()}
    return Outcome(scale, time.monotonic() - start, attack.verdict, attack.slowest_seconds, attack.neighbours, memory)


def _job_id(body: bytes) -> str | None:
    """Return the `id` of a job object; None for an endpoint or an event."""
    found = re.search(rb'"id": ?"([\w-]+)"', body)
    return found[1].decode() if found and not found[1].startswith((b"ep_", b"evt_")) else None


def _photo() -> str:
    return base64.b64encode(pictures.photo()).decode()


def _first(kinds: Mapping[str, Kind], count: int | None) -> list[tuple[str, Kind]]:
    return list(kinds.items())[:count]
