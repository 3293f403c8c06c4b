"""A client with a key of a tenant, for tests of what tenants see of each other."""

from __future__ import annotations

import itertools
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway import session_cookie
from gateway.services import GatewayServices
from worker.access.credential import Credential
from worker.access.scope import ORDINARY

JOBS, ENDPOINTS, BATCHES = "/v1/jobs", "/v1/webhook-endpoints", "/v1/batches"
JOB = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}


class TenantClient:
    """A client with a key of a tenant, and a session of that key: its requests use them in turn. It notes the ids of
    what it made.
    """

    def __init__(self, client: FlaskClient, services: GatewayServices, name: str) -> None:
        self.name = name
        self._client = client
        key = services.keys.create("", ORDINARY, tenant=name)
        token, _ = services.sessions.create(Credential.of_text(key), 3600)
        session = {"Cookie": f"{session_cookie.NAME}={token}", "Origin": "http://localhost"}
        self._credentials = itertools.cycle([{"Authorization": f"Bearer {key}"}, session])
        self.jobs: list[str] = []
        self.events: list[str] = []
        self.endpoints: list[str] = []
        self.batches: list[str] = []
        self.uploads: list[str] = []

    @property
    def ids(self) -> set[str]:
        return {*self.jobs, *self.events, *self.endpoints, *self.batches, *self.uploads}

    def ask(self, method: str, path: str, **sent: Any) -> TestResponse:
        headers = {**next(self._credentials), **sent.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **sent)

    def submit(self, job_id: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        method, path = ("PUT", f"{JOBS}/{job_id}") if job_id else ("POST", JOBS)
        answer = self.ask(method, path, json={**JOB, **fields}, headers=headers or {})
        assert answer.status_code in (200, 202), answer.text
        job: dict[str, Any] = answer.get_json()
        assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
        self.jobs.append(job["id"])
        return job

    def make_endpoint(self) -> str:
        answer = self.ask("POST", ENDPOINTS, json={"url": "https://example.com/hook"})
        endpoint_id = str(answer.get_json()["id"])
        assert answer.headers["Location"] == f"{ENDPOINTS}/{endpoint_id}"
        self.endpoints.append(endpoint_id)
        return endpoint_id

    def submit_batch(self, batch_id: str) -> None:
        answer = self.ask("PUT", f"{BATCHES}/{batch_id}", json={"items": [{**JOB, "id": "item"}]})
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"{BATCHES}/{batch_id}"
        self.batches.append(batch_id)

    def make_upload(self) -> None:
        answer = self.ask("POST", "/v1/uploads", json={"content_type": "image/jpeg", "size": 1})
        assert answer.status_code == 201, answer.text
        self.uploads.append(answer.get_json()["id"])

    def cancel(self, job_id: str) -> None:
        """Cancel a job, and note the events that this makes."""
        assert self.ask("POST", f"{JOBS}/{job_id}/cancel").status_code in (200, 409)
        answer = self.ask("GET", f"{JOBS}/{job_id}/webhook-deliveries").get_json()
        self.events += [event["id"] for event in answer["events"]]


def filled(client: TenantClient) -> TenantClient:
    """Give a tenant an endpoint, and a job that was canceled, with its event for the endpoint."""
    client.make_endpoint()
    client.submit_batch(f"batch-of-{client.name}")
    client.make_upload()
    client.cancel(client.submit(f"of-{client.name}")["id"])
    assert len(client.events) == 1
    return client
