"""Batches over HTTP: a manifest becomes jobs, its counts add up, and it can be sent again; on real servers."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app, ndjson
from gateway.services import GatewayServices
from tests.support import pictures, protocol
from worker.batch import chunks, feeder
from worker.batch.batches import Added
from worker.batch.item import Item
from worker.job.record import Job
from worker.process.model_report import ModelReport
from worker.process.roster import Roster

BATCHES = "/v1/batches"
URL = "https://example.com/a.jpg"


def item(item_id: object, **fields: Any) -> dict[str, Any]:
    return {"id": item_id, "image": URL, "prompts": [{"box": [1, 2, 3, 4]}], **fields}


def items(*ids: object) -> list[dict[str, Any]]:
    return [item(item_id) for item_id in ids]


def in_lines(rows: list[Any]) -> dict[str, Any]:
    return {"data": "\n".join(map(json.dumps, rows)), "content_type": "application/x-ndjson"}


def shown(client: FlaskClient, batch_id: str) -> dict[str, Any]:
    answer = client.get(f"{BATCHES}/{batch_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    counts = dict(found["counts"])
    assert counts.pop("total") == sum(counts.values())
    assert min(counts.values()) >= 0
    return found


def counts_of(client: FlaskClient, batch_id: str) -> dict[str, int]:
    """Return the counts of a batch that are not 0."""
    return {name: count for name, count in shown(client, batch_id)["counts"].items() if count}


def report(answer: TestResponse) -> Mapping[str, Any]:
    assert answer.status_code in (200, 202), answer.text
    found: Mapping[str, Any] = answer.get_json()["manifest"]
    return found


def run_all(services: GatewayServices, end: Callable[[GatewayServices, Job], str]) -> int:
    """Feed all batches and end the jobs as workers do, until no job waits. Return how many were run."""
    count = 0
    while True:
        services.feeder.sweep()
        job = services.jobs.begin(protocol.AUTO, "worker")
        if job is None:
            return count
        assert end(services, job)
        count += 1


def succeed(services: GatewayServices, job: Job) -> str:
    return services.jobs.succeed(job, protocol.PICTURE, {}, 1)


def fail(services: GatewayServices, job: Job) -> str:
    return services.jobs.fail(job, protocol.BROKEN)


def test_each_item_becomes_a_job_in_the_bulk_lane_and_the_batch_completes(
    client: FlaskClient, services: GatewayServices
) -> None:
    body = {"defaults": {"model": "SAM-Lite", "outputs": ["png"], "metadata": {"a": 1}}, "items": items("a", "b/c.jpg")}
    answer = client.put(f"{BATCHES}/mine", json=body)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{BATCHES}/mine"
    assert answer.get_json()["status"] == "running"
    assert counts_of(client, "mine") == {"total": 2, "waiting": 2}
    services.feeder.sweep()
    assert counts_of(client, "mine") == {"total": 2, "queued": 2}
    jobs = client.get("/v1/jobs?batch=mine").get_json()["jobs"]
    assert [job["batch"] for job in jobs] == [{"id": "mine", "item": "b/c.jpg"}, {"id": "mine", "item": "a"}]
    assert {(job["priority"], job["metadata"]["a"], *job["outputs"]) for job in jobs} == {("bulk", 1, "png")}
    assert run_all(services, succeed) == 2
    found = shown(client, "mine")
    assert (found["status"], found["is_final"], found["progress"]) == ("completed", True, {"done": 2, "total": 2})
    assert counts_of(client, "mine") == {"total": 2, "succeeded": 2}
    assert client.get(BATCHES).get_json() == {"batches": [found], "next_cursor": None}


def test_an_image_that_all_items_name_is_looked_for_once(client: FlaskClient, services: GatewayServices) -> None:
    image = pictures.noise(30, 30, seed=77)
    prompts = [{"box": [1, 2, 3, 4]}]
    sent = client.post("/v1/jobs", json={"image": base64.b64encode(image).decode(), "prompts": prompts})
    assert sent.status_code == 202
    known = {"image": {"sha256": hashlib.sha256(image).hexdigest()}}
    rows = [{"defaults": known}, *({"id": str(n), "prompts": prompts} for n in range(300))]

    def scripts() -> int:
        return int(services.keyspace.redis.info("commandstats")["cmdstat_evalsha"]["calls"])

    before = scripts()
    assert report(client.put(f"{BATCHES}/mine", **in_lines(rows)))["added"] == 300
    assert scripts() - before < 50  # a few of the batch, and of the job that sent the image


def test_an_invalid_item_is_reported_and_the_others_are_accepted(
    client: FlaskClient, services: GatewayServices
) -> None:
    rows = [
        {"defaults": {"model": "SAM-Lite"}},
        item("good"),
        item("no-prompts", prompts=[]),
        item("", prompts=[{"points": [[1, 2]]}]),
        item("base64", image=base64.b64encode(pictures.photo()).decode()),
        item("gone", image={"sha256": "0" * 64}),
        item("click", priority="interactive"),
        item("short", ephemeral=True),
        item("odd", colour="red"),
        [1, 2],
        item("good"),
        item("good", metadata={"other": True}),
    ]
    body = in_lines(rows)
    body["data"] += "\n\n{broken\n" + json.dumps(item("last"))
    answer = client.put(f"{BATCHES}/mixed", **body)
    found = report(answer)
    errors = [(error["line"], error["id"], error["code"], error["field"]) for error in found["errors"]]
    assert errors == [
        (3, "no-prompts", "prompts_missing", "prompts"),
        (4, None, "invalid_value", "id"),
        (5, "base64", "invalid_value", "image"),
        (6, "gone", "image_not_found", "image.sha256"),
        (7, "click", "invalid_value", "priority"),
        (8, "short", "invalid_value", "ephemeral"),
        (9, "odd", "unknown_field", "colour"),
        (10, None, "invalid_value", "id"),
        (14, None, "invalid_json", None),
        (12, "good", "id_taken", "id"),
    ]
    assert (found["added"], found["known"], found["error_count"]) == (2, 1, 10)
    assert run_all(services, succeed) == 2
    assert counts_of(client, "mixed") == {"total": 2, "succeeded": 2}


def test_a_manifest_that_is_sent_again_adds_only_what_is_new(client: FlaskClient, services: GatewayServices) -> None:
    for n, (added, known, status) in enumerate([(3, 0, 202), (0, 3, 200), (2, 3, 202)]):
        answer = client.put(f"{BATCHES}/again", **in_lines(items(*"abcde"[: added + known])))
        assert answer.status_code == status
        assert (report(answer)["added"], report(answer)["known"]) == (added, known)
        assert run_all(services, succeed) == added
        assert shown(client, "again")["status"] == "completed", n
    jobs = client.get("/v1/jobs?batch=again").get_json()["jobs"]
    assert sorted(job["batch"]["item"] for job in jobs) == list("abcde")
    assert {job["attempt"] for job in jobs} == {1}


def test_the_same_idempotency_key_is_the_same_batch(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "one"}
    first, second = (client.post(BATCHES, json={"items": items("a", "b")}, headers=key) for _ in range(2))
    other = client.post(BATCHES, json={"items": items("a", "b")})
    assert first.get_json()["id"] == second.get_json()["id"] != other.get_json()["id"]
    assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
    assert report(second)["known"] == 2


def test_a_manifest_may_come_in_several_requests(client: FlaskClient, services: GatewayServices) -> None:
    client.put(f"{BATCHES}/parts?more=true", json={"items": items("a")})
    assert run_all(services, succeed) == 1
    assert shown(client, "parts")["status"] == "receiving"
    client.put(f"{BATCHES}/parts", json={"items": items("b")})
    assert shown(client, "parts")["status"] == "running"
    assert run_all(services, succeed) == 1
    assert shown(client, "parts")["status"] == "completed"


def test_a_manifest_that_was_never_sent_to_its_end_is_complete_after_a_day(
    client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put(f"{BATCHES}/cut?more=true", json={"items": items("a")})
    run_all(services, succeed)
    assert shown(client, "cut")["status"] == "receiving"
    monkeypatch.setattr(feeder, "SEALED_AFTER_SECONDS", 0)
    services.feeder.sweep()
    assert shown(client, "cut")["status"] == "completed"


def test_items_wait_while_a_limit_leaves_no_room(s3_settings: Settings) -> None:
    limited = s3_settings.model_copy(update={"max_queued_jobs_per_tenant": 2, "sweep_seconds": 0.01})
    with create_app(limited).test_client() as client:
        services: GatewayServices = client.application.extensions["ovseg"]
        client.put(f"{BATCHES}/wide", json={"items": items(*"abcdef")})
        services.feeder.sweep()
        assert counts_of(client, "wide") == {"total": 6, "waiting": 4, "queued": 2}
        assert client.post("/v1/jobs", json=item("x") | {"id": None}).status_code in (422, 429)
        ended = 0
        while ended < 6:
            ended += run_all(services, succeed)
        assert counts_of(client, "wide") == {"total": 6, "succeeded": 6}


def test_two_feeders_and_one_that_died_in_the_middle_make_one_job_of_each_item(
    client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put(f"{BATCHES}/twice", json={"items": items(*"abcdef")})
    mark = feeder.Feeder._fed
    monkeypatch.setattr(feeder.Feeder, "_fed", lambda *args, **kwargs: None)  # the position is not noted
    for _ in range(2):
        services.feeder.look("twice")
    monkeypatch.setattr(feeder.Feeder, "_fed", mark)
    assert counts_of(client, "twice") == {"total": 6, "queued": 6}
    assert run_all(services, succeed) == 6
    assert counts_of(client, "twice") == {"total": 6, "succeeded": 6}


def test_two_clients_that_send_one_manifest_add_each_item_once(
    client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has stored its chunk when the first adds its own, as if both had sent it at the same time."""
    services.batches.create("race")
    write = chunks.write

    def write_and_race(*args: Any) -> None:
        write(*args)
        monkeypatch.setattr(chunks, "write", write)
        assert services.batches.add("race", [plain("b"), plain("c")]) == [Added.NEW, Added.NEW]

    monkeypatch.setattr(chunks, "write", write_and_race)
    assert services.batches.add("race", [plain("a"), plain("b")]) == [Added.NEW, Added.KNOWN]
    services.batches.seal("race")
    assert run_all(services, succeed) == 3
    assert counts_of(client, "race") == {"total": 3, "succeeded": 3}


def plain(item_id: str) -> Item:
    return Item(item_id, protocol.request(priority="bulk"))


def test_a_batch_has_a_maximum_number_of_items_and_a_tenant_of_open_batches(s3_settings: Settings) -> None:
    limited = s3_settings.model_copy(update={"max_batch_items": 2, "max_open_batches": 1})
    with create_app(limited).test_client() as client:
        found = report(client.put(f"{BATCHES}/full", json={"items": items("a", "b", "c")}))
        assert [(error["line"], error["code"]) for error in found["errors"]] == [(3, "too_many_items")]
        refused = client.put(f"{BATCHES}/next", json={"items": items("a")})
        assert (refused.status_code, refused.get_json()["violated-policies"]) == (429, ["open-batches"])
        assert client.put(f"{BATCHES}/full", json={"items": items("a")}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"json": {}}, "invalid_value"),
        ({"json": {"items": []}}, "invalid_value"),
        ({"json": {"items": [1], "more": True}}, "unknown_field"),
        ({"data": "", "content_type": "application/x-ndjson"}, "invalid_request"),
        ({"data": '{"defaults": 1}', "content_type": "application/x-ndjson"}, "invalid_value"),
        ({"data": '{"defaults": {}}', "content_type": "application/x-ndjson"}, "invalid_request"),
        (
            {"data": '{"webhook": "http://a.example"}\n{"id": 1}', "content_type": "application/x-ndjson"},
            "url_forbidden",
        ),
        ({"json": {"webhook": {"url": "https://a.example", "events": ["job.failed"]}, "items": [1]}}, "invalid_value"),
        ({"data": "x", "content_type": "text/plain"}, "unsupported_media_type"),
    ],
)
def test_a_body_without_items_is_refused(client: FlaskClient, body: dict[str, Any], code: str) -> None:
    assert client.post(BATCHES, **body).get_json()["code"] == code
    assert client.get(BATCHES).get_json()["batches"] == []


@pytest.mark.parametrize("batch_id", ["a.b", "x" * 65, "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_an_id_that_is_reserved_or_no_id_is_refused(client: FlaskClient, batch_id: str) -> None:
    answer = client.put(f"{BATCHES}/{batch_id}", json={"items": items("a")})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")


def test_lines_are_the_same_however_the_body_is_cut() -> None:
    longest = b"x" * ndjson.MAX_LINE_BYTES
    body = b"one\n\ntwo\n" + longest + b"\n" + longest + b"x\nlast"
    expected = [b"one", b"", b"two", longest, None, b"last"]
    for size in (1 << 16, 999_983, len(body)):
        assert list(ndjson.lines(body[i : i + size] for i in range(0, len(body), size))) == expected
    assert list(ndjson.lines(bytes([byte]) for byte in b"a\nbc\n")) == [b"a", b"bc"]


def test_an_item_whose_detector_no_worker_has_is_reported(
    client: FlaskClient, services: GatewayServices, s3_settings: Settings
) -> None:
    Roster(services.keyspace, s3_settings, "host:1", "cpu", lambda: ModelReport({"SAM-Lite": 9}, {})).enter()
    found = report(client.post(BATCHES, json={"items": [item("box"), item("text", prompts=[{"text": "dog"}])]}))
    assert found["added"] == 1
    assert [(each["id"], each["code"], each["field"]) for each in found["errors"]] == [
        ("text", "model_not_installed", "detector")
    ]
