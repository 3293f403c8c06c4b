"""Many jobs canceled or deleted in one request."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway import bulk, create_app
from gateway.services import GatewayServices
from tests.support import protocol
from tests.support.protocol import PICTURE
from tests.support.waiting import wait_until
from worker.access.scope import ORDINARY

JOB = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}
CANCEL, DELETE = "/v1/jobs/cancel", "/v1/jobs/delete"


def submit(client: FlaskClient, *ids: str, **fields: Any) -> None:
    for job_id in ids:
        answer = client.put(f"/v1/jobs/{job_id}", json={**JOB, **fields})
        assert answer.status_code == 202, answer.text


def ask(client: FlaskClient, path: str, **selection: Any) -> dict[str, Any]:
    answer = client.post(path, json=selection)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    assert found["count"] == sum(result["problem"] is None for result in found["results"])
    return found


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    """Return the status, or the code of the problem, of each job."""
    assert all((result["status"] is None) != (result["problem"] is None) for result in answer["results"])
    return {result["id"]: result["status"] or result["problem"]["code"] for result in answer["results"]}


def status_of(client: FlaskClient, job_id: str) -> str:
    answer = client.get(f"/v1/jobs/{job_id}")
    return str(answer.get_json().get("code") or answer.get_json()["status"])


def test_each_id_has_the_answer_of_the_route_of_a_single_job(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "queued", "running", "ended")
    protocol.begin(services.jobs, "running")
    services.jobs.succeed(protocol.begin(services.jobs, "ended"), PICTURE, {}, 1)
    ids = ["queued", "running", "none", "ended", "no.id", "queued"]
    canceled = ask(client, CANCEL, ids=ids)
    assert outcomes(canceled) == {
        "queued": "canceled",
        "running": "running",
        "none": "not_found",
        "ended": "job_already_final",
        "no.id": "not_found",
    }
    assert (canceled["count"], canceled["next_cursor"]) == (2, None)
    single = client.post("/v1/jobs/ended/cancel").get_json()
    problem = next(result["problem"] for result in canceled["results"] if result["id"] == "ended")
    assert problem == {name: value for name, value in single.items() if name != "request_id"}

    deleted = ask(client, DELETE, ids=ids)
    assert outcomes(deleted) == {
        "queued": "deleted",
        "running": "job_running",
        "none": "not_found",
        "ended": "deleted",
        "no.id": "not_found",
    }
    assert [status_of(client, job_id) for job_id in ("queued", "running", "ended")] == [
        "not_found",
        "running",
        "not_found",
    ]
    assert outcomes(ask(client, DELETE, ids=["queued"])) == {"queued": "not_found"}
    assert ask(client, CANCEL, ids=[]) == {"count": 0, "results": [], "next_cursor": None}


def test_a_reaper_deletes_the_files_of_deleted_jobs_in_its_next_sweep(
    client: FlaskClient, services: GatewayServices
) -> None:
    submit(client, "mine")
    job = protocol.begin(services.jobs, "mine")
    services.storage.put(f"{job.attempt_prefix}result.json", b"{}", "application/json")
    services.jobs.succeed(job, PICTURE, {}, 1)
    services.archive.keep("mine")
    ask(client, DELETE, ids=["mine"])
    assert list(services.storage.list("jobs/mine/"))
    assert status_of(client, "mine") == "not_found"  # although the archive still has its document
    services.erasure.sweep()
    # The gateway may have moved the image to storage just now. It then deletes it there.
    wait_until(lambda: list(services.storage.list("jobs/mine/")) == [])
    assert services.archive.find("mine") is None


def test_a_job_that_only_the_archive_has_can_be_deleted_too(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "lost")
    services.jobs.cancel("lost")
    services.archive.keep("lost")
    services.keyspace.redis.delete(services.keyspace.key("job:lost"))
    assert outcomes(ask(client, DELETE, ids=["lost"])) == {"lost": "deleted"}
    services.erasure.sweep()
    assert status_of(client, "lost") == "not_found"


def test_conditions_select_the_jobs_as_in_a_list(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "north-1", "north-2", metadata={"site": "north", "n": 5})
    submit(client, "south", metadata={"site": "south", "n": "5"})
    submit(client, "ended", metadata={"site": "north"})
    services.jobs.succeed(protocol.begin(services.jobs, "ended"), PICTURE, {}, 1)
    protocol.begin(services.jobs, "north-1")

    canceled = ask(client, CANCEL, filter={"metadata": {"site": "north"}})
    assert outcomes(canceled) == {"north-2": "canceled", "north-1": "running"}  # not the job that has ended
    assert (canceled["count"], canceled["next_cursor"]) == (2, None)
    deleted = ask(client, DELETE, filter={"metadata": {"n": 5}})
    assert outcomes(deleted) == {"south": "deleted", "north-2": "deleted", "north-1": "job_running"}
    assert outcomes(ask(client, DELETE, filter={"status": "succeeded"})) == {"ended": "deleted"}
    assert outcomes(ask(client, DELETE, filter={"status": "queued", "model": "SAM-B"})) == {}


def test_a_cursor_continues_where_a_request_stopped(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(client, "a", "b", "c", metadata={"mine": True})
    monkeypatch.setattr(bulk, "MAX_SECONDS", -1.0)  # the time of each request is over after its first job
    found, cursor = [], None
    for _ in range(3):
        answer = ask(client, DELETE, filter={"metadata": {"mine": True}}, cursor=cursor)
        found.append(outcomes(answer))
        submit(client, f"newer-than-{len(found)}", metadata={"mine": True})
        cursor = answer["next_cursor"]
    assert found == [{"c": "deleted"}, {"b": "deleted"}, {"a": "deleted"}]
    assert cursor is None
    assert status_of(client, "newer-than-1") == "queued"


def test_ids_that_were_not_reached_in_time_are_named(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(client, "a", "b")
    monkeypatch.setattr(bulk, "MAX_SECONDS", -1.0)
    assert outcomes(ask(client, CANCEL, ids=["a", "b"])) == {"a": "canceled", "b": "timeout"}
    assert status_of(client, "b") == "queued"


@pytest.mark.parametrize(
    ("selection", "field", "message"),
    [
        ({}, None, "give either ids or filter"),
        ({"ids": ["a"], "filter": {"status": "queued"}}, None, "give either ids or filter"),
        ({"ids": None}, None, "give either ids or filter"),
        ({"filter": {}}, "filter", "needs a condition"),
        ({"filter": {"status": None, "metadata": {}}}, "filter", "needs a condition"),
        ({"ids": ["a"], "cursor": "1"}, "cursor", "belongs to filter"),
        ({"filter": {"status": "queued"}, "cursor": "x"}, "cursor", "next_cursor"),
        ({"filter": {"status": "odd"}}, "filter.status", "must be 'queued'"),
        ({"filter": {"colour": "red"}}, "filter.colour", "allowed: status, model, batch, device, priority, name"),
        ({"filter": {"metadata": "site"}}, "filter.metadata", "metadata.KEY=VALUE"),
        ({"filter": {"accepted_before": "2026"}}, "filter.accepted_before", "RFC 3339"),
        ({"ids": ["a", 7]}, "ids[1]", "should be a valid string"),
        ({"ids": ["a"] * 1001}, "ids", "at most 1,000"),
        ({"ids": "a"}, "ids", "valid tuple"),
        ({"id": ["a"]}, "id", "allowed: ids, filter, cursor"),
        ([], None, "must be a JSON object"),
    ],
)
@pytest.mark.parametrize("path", [CANCEL, DELETE])
def test_a_request_that_selects_nothing_clearly_is_refused(
    asked: FlaskClient, path: str, selection: Any, field: str | None, message: str
) -> None:
    answer = asked.post(path, json=selection)
    assert answer.status_code == 422, answer.text
    problem = answer.get_json()
    assert message in problem["detail"]
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("job_id", ["cancel", "delete"])
def test_a_job_may_have_the_name_of_the_route_as_its_id(client: FlaskClient, job_id: str) -> None:
    submit(client, job_id)
    assert status_of(client, job_id) == "queued"
    assert outcomes(ask(client, CANCEL, ids=[job_id])) == {job_id: "canceled"}
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204


def test_the_jobs_of_another_tenant_are_not_found_and_meet_no_condition(
    client: FlaskClient, services: GatewayServices
) -> None:
    strict = create_app(services.settings.model_copy(update={"auth": "required"})).test_client()
    key = services.keys.create("", ORDINARY, tenant="acme")
    headers = {"Authorization": f"Bearer {key}"}
    submit(client, "of-default", metadata={"site": "north"})
    for path in (CANCEL, DELETE):
        for job_id in ("of-default", ".of-default", "default.of-default"):
            answer = strict.post(path, json={"ids": [job_id]}, headers=headers)
            assert outcomes(answer.get_json()) == {job_id: "not_found"}
        for wanted in ({"metadata": {"site": "north"}}, {"status": "queued"}):
            answer = strict.post(path, json={"filter": wanted}, headers=headers).get_json()
            assert answer == {"count": 0, "results": [], "next_cursor": None}
    assert status_of(client, "of-default") == "queued"


def test_each_canceled_job_has_its_event(client: FlaskClient, services: GatewayServices) -> None:
    made = client.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"}).get_json()
    submit(client, "a", "b")
    ask(client, CANCEL, ids=["a", "b"])
    events = client.get(f"/v1/webhook-endpoints/{made['id']}/events").get_json()["events"]
    assert [(event["job_id"], event["type"]) for event in events] == [(i, "job.canceled") for i in ("b", "a")]
