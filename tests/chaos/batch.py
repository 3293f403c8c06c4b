"""The batch of a run: one large manifest, which its client sends until it is accepted, and what became of its items."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests
from PIL import Image
from redis import RedisError

from tests.chaos.journal import Entry
from tests.chaos.order import Order
from tests.chaos.receiver import BATCH_TENANT
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.support import pictures
from worker.access.keys import Keys
from worker.access.scope import ORDINARY
from worker.access.tenants import Tenants
from worker.batch.item import job_id_of
from worker.store import clock, tenant
from worker.store.keyspace import Keyspace

TENANT, ID = BATCH_TENANT, "manifest"
OWNED = tenant.owned(TENANT, ID)
PAUSE_SECONDS, ANSWER_SECONDS = 0.25, 60.0


@dataclass(frozen=True)
class BatchEvidence:
    """What became of a batch: its object, the results in the order of the manifest, and its events at the receiver."""

    items: int
    batch: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]
    events: Sequence[tuple[str, str]]  # type and id
    ends: Mapping[str, int]  # how many ends of attempts were accepted, by job


class BatchClient:
    """Sends the manifest, and cancels the batch when `scale.batch_ends` of its jobs have ended; 0: never."""

    def __init__(self, stack: Stack, webhook_url: str, scale: Scale) -> None:
        self._stack, self._webhook_url, self._scale = stack, webhook_url, scale
        with Keyspace.open(stack.settings) as keyspace:
            self._headers = {"Authorization": f"Bearer {Keys(keyspace).create('', ORDINARY, tenant=TENANT)}"}
            secrets = Tenants(keyspace, stack.settings).webhook_secrets(TENANT, clock.moment(keyspace.now()))
        self.secret = secrets[0]
        self.is_done = scale.batch_items == 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
        if not self.is_done:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def is_half_sent(self) -> bool:
        """True while the gateway has added some of the items, and not all."""
        try:
            with Keyspace.open(self._stack.settings) as keyspace:
                count = keyspace.redis.hlen(keyspace.key(f"batch_items:{OWNED}"))
                return 0 < int(count) < self._scale.batch_items
        except RedisError:
            return False

    def evidence(self, events: Sequence[tuple[str, str]], entries: Sequence[Entry]) -> BatchEvidence | None:
        if self._scale.batch_items == 0:
            return None
        answer = requests.get(f"{self._url}/results", headers=self._headers, timeout=600)
        ours = {tenant.shown(job_id_of(OWNED, str(n))) for n in range(self._scale.batch_items)}
        ends = Counter(each.job_id for each in entries if each.word in ("succeed", "fail") and each.now)
        return BatchEvidence(
            items=self._scale.batch_items,
            batch=requests.get(self._url, headers=self._headers, timeout=60).json(),
            results=[json.loads(line) for line in answer.iter_lines()],
            events=events,
            ends={job_id: count for job_id, count in ends.items() if job_id in ours},
        )

    @property
    def _url(self) -> str:
        return f"{self._stack.url}/v1/batches/{ID}"

    def _run(self) -> None:
        sha256 = self._send_image()
        manifest = b"\n".join(json.dumps(line).encode() for line in self._lines(sha256))
        self._until_ok("PUT", self._url, data=manifest, headers={"Content-Type": "application/x-ndjson"})
        while not self._stopping.is_set():
            batch = self._until_ok("GET", self._url)
            if batch.get("is_final"):
                self.is_done = True
                return
            ends = self._scale.batch_ends
            if ends and batch.get("progress", {}).get("done", 0) >= ends and batch["status"] == "running":
                self._until_ok("POST", f"{self._url}/cancel")
            self._stopping.wait(PAUSE_SECONDS)

    def _send_image(self) -> str:
        """Send the image of all items with a job of its own, which is no part of the batch. Return its SHA-256."""
        image = pictures.encoded(Image.new("RGB", (120, 90), (77, 0, 0)), "PNG")
        files = {"image": ("image.png", image)}
        data = {"request": json.dumps({"prompts": [{"box": [1, 2, 30, 40]}], "outputs": ["rle"]})}
        self._until_ok("PUT", f"{self._stack.url}/v1/jobs/image", files=files, data=data)
        return hashlib.sha256(image).hexdigest()

    def _lines(self, sha256: str) -> Iterator[dict[str, Any]]:
        yield {
            "defaults": {"image": {"sha256": sha256}, "outputs": ["rle"]},
            "webhook": {"url": self._webhook_url, "events": ["batch.completed"]},
        }
        for n in range(self._scale.batch_items):
            yield {"id": str(n), "prompts": [{"box": list(Order(n).box)}]}

    def _until_ok(self, method: str, url: str, headers: Mapping[str, str] | None = None, **sent: Any) -> dict[str, Any]:
        """Send a request until it is answered with 2xx."""
        while not self._stopping.is_set():
            try:
                answer = requests.request(
                    method, url, headers={**self._headers, **(headers or {})}, timeout=ANSWER_SECONDS, **sent
                )
                if answer.ok or answer.status_code == 409:  # 409: it has ended meanwhile
                    found: dict[str, Any] = answer.json()
                    return found
                assert answer.status_code >= 500, f"{method} {url}: {answer.text}"
            except requests.RequestException:
                pass
            time.sleep(PAUSE_SECONDS)
        return {}


def broken(seen: BatchEvidence | None) -> Iterator[str]:
    """Yield what is wrong with the batch of a run."""
    if seen is None:
        return
    if not seen.batch.get("is_final"):
        yield f"it has not ended: {seen.batch}"
        return
    counts = dict(seen.batch["counts"])
    total = counts.pop("total")
    if total != seen.items or sum(counts.values()) != total:
        yield f"{seen.items} items, but counts of {counts}"
    if [row["id"] for row in seen.results] != [str(n) for n in range(seen.items)]:
        yield "the results are not one line for each item in the order of the manifest"
    statuses = Counter(row["status"] for row in seen.results)
    if statuses != Counter({status: count for status, count in counts.items() if count}):
        yield f"results of {dict(statuses)}, but counts of {counts}"
    for row in seen.results:
        if row["status"] not in ("succeeded", "canceled"):
            yield f"item {row['id']}: {row['status']}, {row['error']}"
        if row["status"] == "succeeded" and row["result"]["maskInfos"][0]["box"] != list(Order(int(row["id"])).box):
            yield f"item {row['id']}: a wrong result"
    yield from (f"job {job_id}: ended {count} times" for job_id, count in seen.ends.items() if count > 1)
    if {kind for kind, _ in seen.events} != {"batch.completed"} or len(set(seen.events)) != 1:
        yield f"events: {sorted(set(seen.events))}"
