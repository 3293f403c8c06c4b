"""The conditions of the list of jobs."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

IMAGE = "https://example.com/a.jpg"
BOX = {"box": [1, 2, 3, 4]}
JOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    "large": {"model": "SAM-B", "device": "gpu"},
    "named": {"prompts": [{**BOX, "name": "car"}, {**BOX, "name": "tree"}]},
    "north": {"metadata": {"site": "north", "n": 5, "is_test": True, "none": None, "a.b": "c", "nested": {"x": [1]}}},
    "south": {"metadata": {"site": "south", "n": "5"}, "device": "gpu", "priority": "bulk"},
    "whole": {"prompts": "everything"},
}


@pytest.fixture(scope="module")
def times(asked: FlaskClient) -> dict[str, str]:
    """Submit the jobs in this order, and return when each was accepted. `large` is canceled."""
    found = {}
    for job_id, fields in JOBS.items():
        answer = asked.put(f"/v1/jobs/{job_id}", json={"image": IMAGE, "prompts": [BOX], **fields})
        assert answer.status_code == 202, answer.text
        found[job_id] = answer.get_json()["accepted_at"]
    assert asked.post("/v1/jobs/large/cancel").status_code == 200
    return found


def listed(client: FlaskClient, **conditions: str) -> list[str]:
    answer = client.get("/v1/jobs", query_string=conditions)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["next_cursor"] is None
    return [job["id"] for job in answer.get_json()["jobs"]]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["whole", "south", "north", "named", "large", "plain"]),
        ({"model": "SAM-B"}, ["large"]),
        ({"model": "none"}, []),
        ({"device": "gpu"}, ["south", "large"]),
        ({"device": "gpu", "status": "queued"}, ["south"]),
        ({"device": "gpu", "status": "canceled"}, ["large"]),
        ({"priority": "bulk"}, ["south"]),
        ({"priority": "interactive"}, []),
        ({"name": "tree"}, ["named"]),
        ({"name": "tre"}, []),
        ({"metadata.site": "north"}, ["north"]),
        ({"metadata.site": "north", "metadata.n": "6"}, []),
        ({"metadata.site": ""}, []),
        ({"metadata.n": "5"}, ["south", "north"]),
        ({"metadata.is_test": "true"}, ["north"]),
        ({"metadata.none": "null"}, ["north"]),
        ({"metadata.a.b": "c"}, ["north"]),
        ({"metadata.nested": '{"x":[1]}'}, ["north"]),
        ({"metadata.": "c"}, []),
    ],
)
def test_a_list_has_only_jobs_that_meet_every_condition(
    asked: FlaskClient, times: dict[str, str], conditions: dict[str, str], expected: list[str]
) -> None:
    assert listed(asked, **conditions) == expected


def test_a_span_of_time_includes_its_first_moment_and_not_its_last(asked: FlaskClient, times: dict[str, str]) -> None:
    span = {"accepted_after": times["large"], "accepted_before": times["north"]}
    assert listed(asked, **span) == ["named", "large"]
    assert listed(asked, **span, **{"metadata.site": "north"}) == []
    assert listed(asked, accepted_after=times["north"]) == ["whole", "south", "north"]
    assert listed(asked, accepted_before=times["large"]) == ["plain"]
    local = times["south"].replace("Z", "-00:00")
    assert listed(asked, accepted_after=local, status="queued") == ["whole", "south"]
    assert listed(asked, accepted_after=times["north"], accepted_before=times["north"]) == []


def test_the_cursor_and_the_span_of_time_limit_a_page_together(asked: FlaskClient, times: dict[str, str]) -> None:
    query = {"accepted_before": times["whole"], "accepted_after": times["large"], "limit": "2"}
    first = asked.get("/v1/jobs", query_string=query).get_json()
    second = asked.get("/v1/jobs", query_string={**query, "cursor": first["next_cursor"]}).get_json()
    ids = [[job["id"] for job in page["jobs"]] for page in (first, second)]
    assert (ids, second["next_cursor"]) == ([["south", "north"], ["named", "large"]], None)


def test_pages_of_jobs_that_meet_a_condition_have_each_job_once(asked: FlaskClient, times: dict[str, str]) -> None:
    found, cursor = [], None
    while True:
        query = {"metadata.n": "5", "limit": "1", **({"cursor": cursor} if cursor else {})}
        answer = asked.get("/v1/jobs", query_string=query).get_json()
        assert len(answer["jobs"]) <= 1
        found += [job["id"] for job in answer["jobs"]]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert found == ["south", "north"]
