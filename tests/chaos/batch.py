"""The batch of a run: one large manifest, which its client sends several times, and what became of its items."""

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

from tests.chaos import uploads
from tests.chaos.journal import Entry
from tests.chaos.order import Order
from tests.chaos.receiver import BATCH_TENANT, Delivery, Receiver
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
PAUSE_SECONDS, ANSWER_SECONDS = 0.25, 300.0  # a manifest is read for seconds, on a busy machine for minutes
UPLOADED_EVERY = 50  # items: each one that names the upload costs a copy of the file


@dataclass(frozen=True)
class BatchEvidence:
    """What became of a batch: its object, the results in the order of the manifest, and its events at the receiver.

    `receivers` are the ids of the endpoints that must get an event when it completes; None is its own webhook.
    """

    items: int
    batch: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]
    receivers: Sequence[str | None]
    events: Sequence[Delivery]
    ends: Mapping[str, int]  # how many ends of attempts were accepted, by job


class BatchClient:
    """Sends the manifest until it is accepted, and then once more, like a client that lost the answer.

    Cancels the batch when `scale.batch_ends` of its jobs have ended; 0: never. After the end, it sends the manifest a
    third time and requests each event again.
    """

    def __init__(self, stack: Stack, hook: Receiver, scale: Scale) -> None:
        self._stack, self._hook, self._scale = stack, hook, scale
        self._keyspace = keyspace = Keyspace.open(stack.settings)
        self._headers = {"Authorization": f"Bearer {Keys(keyspace).create('', ORDINARY, tenant=TENANT)}"}
        secrets = Tenants(keyspace, stack.settings).webhook_secrets(TENANT, clock.moment(keyspace.now()))
        hook.secrets[TENANT] = secrets[0]
        self._endpoint_id = self._endpoint()
        self.is_done = scale.batch_items == 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
        if not self.is_done:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._keyspace.redis.close()

    def added(self) -> int:
        """Return how many of the items the gateway has added; 0 while Valkey is unreachable."""
        try:
            return int(self._keyspace.redis.hlen(self._keyspace.key(f"batch_items:{OWNED}")))
        except RedisError:
            return 0

    def has_jobs(self) -> bool:
        """Return whether jobs of the batch have not ended; False while Valkey is unreachable."""
        try:
            return bool(self._keyspace.redis.exists(self._keyspace.key(f"batch_open:{OWNED}")))
        except RedisError:
            return False

    def pid_of_a_worker(self) -> int | None:
        """Return the process that runs a job of the batch, None if there is none."""
        redis, key = self._keyspace.redis, self._keyspace.key
        try:
            running = redis.zrange(key(f"{tenant.prefix(TENANT)}jobs:running"), 0, -1)
            workers = [redis.hmget(key(f"job:{each}"), "batch", "worker") for each in running]
        except RedisError:
            return None
        return next((int(worker.rpartition(":")[2]) for batch, worker in workers if batch and worker), None)

    def evidence(self, entries: Sequence[Entry]) -> BatchEvidence | None:
        if self._scale.batch_items == 0:
            return None
        answer = requests.get(f"{self._url}/results", headers=self._headers, timeout=600)
        ours = {tenant.shown(job_id_of(OWNED, str(n))) for n in range(self._scale.batch_items)}
        ends = Counter(each.job_id for each in entries if each.word in ("succeed", "fail") and each.now)
        return BatchEvidence(
            items=self._scale.batch_items,
            batch=requests.get(self._url, headers=self._headers, timeout=60).json(),
            results=[json.loads(line) for line in answer.iter_lines()],
            receivers=[None, self._endpoint_id],
            events=list(self._hook.of_batch),
            ends={job_id: count for job_id, count in ends.items() if job_id in ours},
        )

    @property
    def _url(self) -> str:
        return f"{self._stack.url}/v1/batches/{ID}"

    def _run(self) -> None:
        image = pictures.encoded(Image.new("RGB", (120, 90), (77, 0, 0)), "PNG")
        upload_id = uploads.put(self._stack.url, lambda: self._headers, image, self._stopping)
        lines = self._lines(self._send_image(image), upload_id)
        manifest = b"\n".join(json.dumps(line).encode() for line in lines)
        self._send(manifest)
        self._send(manifest)
        while not self._stopping.is_set():
            batch = self._until_ok("GET", self._url)
            if batch.get("is_final"):
                break
            ends = self._scale.batch_ends
            if ends and batch.get("progress", {}).get("done", 0) >= ends and batch["status"] == "running":
                self._until_ok("POST", f"{self._url}/cancel")
            self._stopping.wait(PAUSE_SECONDS)
        self._send(manifest)
        while len({each.endpoint_id for each in self._hook.of_batch}) < 2 and not self._stopping.is_set():
            self._stopping.wait(PAUSE_SECONDS)
        for event_id in {each.event_id for each in self._hook.of_batch}:
            self._until_ok("POST", f"{self._stack.url}/v1/events/{event_id}/redeliver")
        self.is_done = not self._stopping.is_set()

    def _endpoint(self) -> str:
        """Register the receiver as an endpoint of the tenant too, before the faults begin. Return its id."""
        fields = {"url": self._hook.url, "events": ["batch.completed"]}
        url = f"{self._stack.url}/v1/webhook-endpoints"
        made = requests.post(url, json=fields, headers=self._headers, timeout=ANSWER_SECONDS).json()
        self._hook.secrets[made["id"]] = made["secret"]
        return str(made["id"])

    def _send(self, manifest: bytes) -> None:
        self._until_ok("PUT", self._url, data=manifest, headers={"Content-Type": "application/x-ndjson"})

    def _send_image(self, image: bytes) -> str:
        """Send the image of most items with a job of its own, which is no part of the batch. Return its SHA-256."""
        files = {"image": ("image.png", image)}
        data = {"request": json.dumps({"prompts": [{"box": [1, 2, 30, 40]}], "outputs": ["rle"]})}
        self._until_ok("PUT", f"{self._stack.url}/v1/jobs/image", files=files, data=data)
        return hashlib.sha256(image).hexdigest()

    def _lines(self, sha256: str, upload_id: str) -> Iterator[dict[str, Any]]:
        yield {
            "defaults": {"image": {"sha256": sha256}, "outputs": ["rle"]},
            "webhook": {"url": self._hook.url, "events": ["batch.completed"]},
        }
        for n in range(self._scale.batch_items):
            image = {} if n % UPLOADED_EVERY else {"image": {"upload": upload_id}}
            yield {"id": str(n), "prompts": [{"box": list(Order(n).box)}], **image}

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
    for receiver in seen.receivers:
        got = [each for each in seen.events if each.endpoint_id == receiver]
        if len({each.event_id for each in got}) != 1 or not any(each.was_accepted for each in got):
            yield f"events of the receiver {receiver}: {[(each.event_id, each.was_accepted) for each in got]}"
    for each in seen.events:
        if not each.is_signed or each.type != "batch.completed" or each.endpoint_id not in seen.receivers:
            yield f"event {each.event_id}: {each.type}, for {each.endpoint_id}, signed: {each.is_signed}"
