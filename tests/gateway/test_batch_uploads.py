"""Batches with uploads: images of items, and the manifest itself."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.services import GatewayServices
from tests.support.uploads import (
    BATCHES,
    FILE,
    JOBS,
    MANIFEST,
    PROMPTS,
    UPLOADS,
    image_of,
    make,
    put,
    sent,
)

pytestmark = pytest.mark.usefixtures("no_copies_of_uploads")


def test_items_of_a_batch_get_their_uploads_days_later(client: FlaskClient, services: GatewayServices) -> None:
    uploads = [sent(client), sent(client), make(client)["id"]]
    items = [{"id": str(n), "image": {"upload": each}, "prompts": PROMPTS} for n, each in enumerate(uploads)]
    lines = "\n".join(map(json.dumps, items))
    report = client.put(f"{BATCHES}/mine", data=lines, content_type="application/x-ndjson").get_json()["manifest"]
    assert (report["added"], [error["code"] for error in report["errors"]]) == (2, ["upload_not_received"])
    shown = client.get(f"{UPLOADS}/{uploads[0]}").get_json()
    lifetime = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(shown["created_at"])
    assert timedelta(days=7) <= lifetime < timedelta(days=7, hours=1)
    again = client.put(f"{BATCHES}/mine", data=lines, content_type="application/x-ndjson").get_json()["manifest"]
    assert (again["added"], again["known"]) == (0, 2)
    client.delete(f"{UPLOADS}/{uploads[1]}")  # before its job is made: only that job fails
    services.feeder.sweep()
    jobs = client.get(f"{JOBS}?batch=mine").get_json()["jobs"]
    by_item = {job["batch"]["item"]: job for job in jobs}
    assert image_of(services, by_item["0"]["id"]) == FILE
    with pytest.raises(Exception, match="no longer in storage"):
        image_of(services, by_item["1"]["id"])


def sent_manifest(client: FlaskClient, rows: Iterable[Any]) -> str:
    data = "\n".join(map(json.dumps, rows)).encode()
    upload = make(client, len(data), MANIFEST)
    assert put(upload, data) == 200
    return str(upload["id"])


def test_the_manifest_of_a_batch_may_be_an_upload(client: FlaskClient, services: GatewayServices) -> None:
    items = [{"id": str(n), "image": "https://example.com/a.jpg", "prompts": PROMPTS} for n in range(3)]
    head = {"defaults": {"outputs": ["png"], "metadata": {"of": "file"}}}
    upload_id = sent_manifest(client, [head, *items, {"id": "bad"}])
    body = {"manifest": {"upload": upload_id}, "defaults": {"outputs": ["rle"]}}
    answer = client.put(f"{BATCHES}/mine", json=body)
    report = answer.get_json()["manifest"]
    assert (answer.status_code, report["added"]) == (202, 3)
    assert [(error["line"], error["id"]) for error in report["errors"]] == [(5, "bad")]
    services.feeder.sweep()
    jobs = client.get(f"{JOBS}?batch=mine").get_json()["jobs"]
    assert {(job["metadata"]["of"], *job["outputs"]) for job in jobs} == {("file", "rle")}
    assert client.put(f"{BATCHES}/mine", json=body).get_json()["manifest"]["known"] == 3


def test_a_manifest_that_cannot_be_used_makes_no_batch(client: FlaskClient) -> None:
    image, waiting = sent(client), make(client, content_type=MANIFEST)["id"]
    empty = sent_manifest(client, [{"defaults": {}}])
    expected = [
        ({"manifest": {"upload": image}}, "invalid_value", "manifest.upload"),
        ({"manifest": {"upload": waiting}}, "upload_not_received", "manifest.upload"),
        ({"manifest": {"upload": "upl_0"}}, "upload_not_found", "manifest.upload"),
        ({"manifest": {"upload": empty}}, "invalid_request", None),
        ({"manifest": {"upload": empty}, "items": [1]}, "invalid_value", "items"),
        ({"manifest": empty}, "invalid_value", "manifest"),
    ]
    for body, code, field in expected:
        problem = client.post(BATCHES, json=body).get_json()
        assert (problem["code"], problem.get("errors", [{"field": None}])[0]["field"]) == (code, field)
    assert client.get(BATCHES).get_json()["batches"] == []


def test_a_long_manifest_takes_little_memory(client: FlaskClient) -> None:
    """30 MB of items that are refused, so that only reading them counts."""
    rows = [{"id": n, "image": "x" * 100_000} for n in range(300)]
    upload_id = sent_manifest(client, rows)
    tracemalloc.start()
    try:
        answer = client.post(BATCHES, json={"manifest": {"upload": upload_id}})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.get_json()["manifest"]["error_count"] == len(rows)
    assert peak < 10_000_000
