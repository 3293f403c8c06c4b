"""Makes uploads and jobs with them, through a gateway and the storage that it signs for."""

from __future__ import annotations

from typing import Any

import requests
from flask.testing import FlaskClient

from gateway.services import GatewayServices
from worker.image import fetch
from worker.outbound.client import GuardedClient

UPLOADS, JOBS, BATCHES = "/v1/uploads", "/v1/jobs", "/v1/batches"
JPEG, MANIFEST = "image/jpeg", "application/x-ndjson"
FILE = b"these bytes are no image, and only a worker will notice"
PROMPTS = [{"box": [1, 2, 3, 4]}]


def make(client: FlaskClient, size: int = len(FILE), content_type: str = JPEG) -> dict[str, Any]:
    answer = client.post(UPLOADS, json={"content_type": content_type, "size": size})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"{UPLOADS}/{made['id']}"
    return made


def put(upload: dict[str, Any], data: bytes = FILE, url: str | None = None, **headers: str) -> int:
    """Send the file as the upload describes, except for what is given. Return the status."""
    sent = {**upload["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.put(url or upload["url"], data=data, headers=sent, timeout=30).status_code


def sent(client: FlaskClient, data: bytes = FILE) -> str:
    """Make an upload and send its file. Return its id."""
    upload = make(client, len(data))
    assert put(upload, data) == 200
    return str(upload["id"])


def submit(client: FlaskClient, upload_id: object, path: str = JOBS, **fields: Any) -> Any:
    prompts = {"prompts": PROMPTS} if path == JOBS else {}
    return client.post(path, json={"image": {"upload": upload_id}, **prompts, **fields})


def status(client: FlaskClient, upload_id: str) -> str:
    return str(client.get(f"{UPLOADS}/{upload_id}").get_json()["status"])


def stored_bytes(client: FlaskClient) -> int:
    return int(client.get("/v1/usage").get_json()["stored_bytes"])


def image_of(services: GatewayServices, job_id: str) -> bytes:
    """Return the file that a worker gets for a job."""
    job = services.jobs.get(job_id)
    assert job is not None
    settings = services.settings
    return fetch.image(job.request.image, job.tenant, services.inputs, GuardedClient(settings), settings)


def make_due(services: GatewayServices, upload_id: str) -> None:
    """Let an upload expire, as if its time were over, and run the reaper."""
    services.keyspace.redis.hset(services.keyspace.key(f"upload:{upload_id}"), "expires_at", 1)
    services.keyspace.redis.zadd(services.keyspace.key("uploads:due"), {upload_id: 1})
    services.uploads.sweep()
