"""`map` against the real service: every image has one job and one outcome, also if the process is killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ovseg_client import (
    AsyncClient,
    Client,
    ImageUnreadable,
    InvalidRequest,
    Item,
    JobFailed,
    Timeout,
    Unreachable,
)
from tests.support import pictures
from tests.support.service import Service

HEAD = [140, 10, 305, 180]
IMAGES = 24

# Segments the same photo with another box each time.
PROGRAM = """
import sys
from ovseg_client import Client, Item
url, photo, state, mark, count = sys.argv[1:]
items = [Item(photo, boxes=[[140, 10, 305, 180 + i]]) for i in range(int(count))]
with Client(url) as client:
    for outcome in client.map(items, resume=state, concurrency=4, outputs=["rle"], metadata={"mark": mark}):
        print(outcome.index, outcome.result.masks[0].prompt_index, flush=True)
"""


def jobs_of(service: Service, mark: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = service.get("/v1/jobs", params={"metadata.mark": mark, "limit": 100}).json()["jobs"]
    return jobs


def test_a_killed_map_continues_and_no_image_is_lost_or_doubled(service: Service, photo: Path) -> None:
    state, mark = photo.with_name("state.ndjson"), uuid.uuid4().hex
    command = [sys.executable, "-c", PROGRAM, service.url, str(photo), str(state), mark, str(IMAGES)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for lines in (0, 2, 11):  # killed after so many outcomes, with others on their way
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                assert process.stdout.readline()
            while not (state.exists() and state.stat().st_size):
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        written = state.read_bytes()
        if written.count(b"\n") > 1:  # the first line is on the disk before anything is sent
            state.write_bytes(written[:-7])  # as if the kill had cut the last line
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:-1] == [f"{index} 0" for index in range(IMAGES)]
    assert len(jobs_of(service, mark)) == IMAGES
    entries = [json.loads(line) for line in state.read_text().splitlines()[1:]]
    assert sorted(entry["index"] for entry in entries) == list(range(IMAGES))
    assert {entry["job"]["id"] for entry in entries} == {job["id"] for job in jobs_of(service, mark)}


def test_outcomes_are_in_order_or_as_jobs_end_and_errors_are_those_of_their_image(client: Client, photo: Path) -> None:
    images = [photo, Item(photo, boxes=[[5, 5, 1, 1]]), photo.with_name("none.jpg"), pictures.photo()[:3000], photo]
    kinds = [type(None), InvalidRequest, ImageUnreadable, JobFailed, type(None)]
    outcomes = list(client.map(images, boxes=[HEAD], outputs=["rle"]))
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3, 4]
    assert [type(outcome.error) for outcome in outcomes] == kinds
    assert [outcome.result is None for outcome in outcomes] == [False, True, True, True, False]
    assert outcomes[0].result is not None
    assert outcomes[0].result.raw["priority"] == "bulk"
    as_they_end = list(client.map(images, boxes=[HEAD], outputs=["rle"], ordered=False, concurrency=3))
    assert sorted(outcome.index for outcome in as_they_end) == [0, 1, 2, 3, 4]
    assert [type(outcome.error) for outcome in sorted(as_they_end, key=lambda outcome: outcome.index)] == kinds


def test_what_failed_is_run_again_if_asked(client: Client, photo: Path, service: Service) -> None:
    mark = uuid.uuid4().hex
    bad = photo.with_name("bad.jpg")
    bad.write_bytes(pictures.photo()[:3000])
    arguments: dict[str, Any] = {"boxes": [HEAD], "outputs": ["rle"], "metadata": {"mark": mark}}
    state = photo.with_name("state")
    [_, failed] = client.map([photo, bad], resume=state, **arguments)
    assert isinstance(failed.error, JobFailed)
    bad.write_bytes(pictures.photo())
    [_, still] = client.map([photo, bad], resume=state, **arguments)
    assert isinstance(still.error, JobFailed)
    for _ in range(2):
        [_, mended] = client.map([photo, bad], resume=state, retry_failed=True, **arguments)
        assert mended.error is None
    assert len(jobs_of(service, mark)) == 3


def test_at_most_the_given_number_of_jobs_are_on_their_way(client: Client, service: Service) -> None:
    mark = uuid.uuid4().hex
    read = 0

    def images() -> Iterator[str]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield "https://example.com/a.jpg"

    arguments: dict[str, Any] = {"boxes": [HEAD], "device": "gpu", "metadata": {"mark": mark}}  # no worker takes it
    with pytest.raises(Timeout):
        next(client.map(images(), concurrency=3, ordered=False, timeout=0.5, **arguments))
    assert read <= 12
    assert len(jobs_of(service, mark)) <= 6  # the second three may be sent when the first three are given up


def test_an_error_that_is_not_of_an_image_ends_the_map(photo: Path) -> None:
    with Client("http://127.0.0.1:9", retry_seconds=0) as client, pytest.raises(Unreachable):
        list(client.map([photo, photo], boxes=[HEAD]))


def test_a_map_that_is_not_read_to_its_end_stops(client: Client, photo: Path) -> None:
    stream = client.map([photo] * 100, boxes=[HEAD], outputs=["rle"], resume=photo.with_name("state"))
    assert next(stream).index == 0
    stream.close()
    again = client.map([photo] * 100, boxes=[HEAD], outputs=["rle"], resume=photo.with_name("state"))
    assert next(again).index == 0  # the file is free again
    again.close()


def test_the_progress_bar_counts_images_and_failures(
    client: Client, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(client.map([photo, photo.with_name("none.jpg")], boxes=[HEAD], progress=True))
    assert "2/2" in capsys.readouterr().err


def test_the_async_client_maps_too(service: Service, photo: Path) -> None:
    async def results() -> list[int]:
        async with AsyncClient(service.url) as client:
            stream = client.map((photo for _ in range(5)), boxes=[HEAD], outputs=["rle"], concurrency=2)
            return [outcome.index async for outcome in stream if outcome.result]

    assert asyncio.run(results()) == [0, 1, 2, 3, 4]
