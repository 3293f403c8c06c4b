"""Batches of the client against the real service."""

from __future__ import annotations

import asyncio
import json
import tarfile
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ovseg_client import AsyncClient, Client, Conflict, Item, JobFailed, NotFound, Timeout, Unreachable, batches
from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD = [140, 10, 305, 180]


@pytest.fixture
def url(trusted_host: Host) -> str:
    return trusted_host.serve("/client-batch.jpg", pictures.photo())


def test_a_batch_is_created_waited_for_and_read(client: Client, url: str, trusted_host: Host) -> None:
    bad = trusted_host.serve("/client-bad.jpg", pictures.photo()[:3000])
    items: list[dict[str, Any] | Item] = [
        Item(url, id="a", boxes=[HEAD]),
        {"id": "b", "image": url, "prompts": [{"points": [[390, 430]]}]},
        {"id": "refused", "image": url, "prompts": []},
        Item(bad, id="c", boxes=[HEAD]),
    ]
    batch = client.batches.create(iter(items), defaults={"outputs": ["rle"]})
    assert [(error["line"], error["id"]) for error in batch.errors] == [(3, "refused")]
    batch.wait(300)
    assert (batch.status, batch.counts["succeeded"], batch.counts["failed"]) == ("completed", 2, 1)
    a, b, c = batch.results()
    assert [(item.id, item.status) for item in (a, b, c)] == [("a", "succeeded"), ("b", "succeeded"), ("c", "failed")]
    assert a.result is not None
    assert a.result.masks[0].array.shape == (512, 512)
    assert isinstance(c.error, JobFailed)
    assert c.error.code == "image_unreadable"
    assert len(batch.coco()["annotations"]) == 2
    assert batch.id in [listed.id for listed in client.batches.list()]
    assert {job.status for job in client.jobs(batch=batch.id)} == {"succeeded", "failed"}
    again = client.batches.retry(batch.id)
    assert again.raw["counts"]["total"] == 1
    again.wait(300)
    with pytest.raises(Conflict):
        again.cancel()
    client.batches.get(batch.id).delete()


def test_a_manifest_may_be_an_upload_and_the_files_one_archive(client: Client, url: str, tmp_path: Path) -> None:
    items = [{"id": f"train/{i}.jpg", "image": url, "prompts": [{"box": HEAD}] if i else []} for i in range(3)]
    (tmp_path / "manifest.ndjson").write_text("\n".join(map(json.dumps, items)))
    batch = client.batches.create(
        manifest=client.uploads.create(tmp_path / "manifest.ndjson"), defaults={"outputs": ["rle", "overlay"]}
    )
    assert [(error["line"], error["id"]) for error in batch.errors] == [(1, "train/0.jpg")]
    batch.wait(300)
    batch.download(tmp_path / "files.tar", ["overlay"])
    with tarfile.open(tmp_path / "files.tar") as archive:
        assert archive.getnames() == ["train/1.jpg/overlay.jpg", "train/2.jpg/overlay.jpg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files.tar", "manifest.ndjson"]


def test_a_batch_and_all_jobs_are_followed_while_they_run(client: Client, url: str) -> None:
    everything = client.events()
    assert next(everything).type == "feed.state"
    batch = client.batches.create([Item(url, id="a", boxes=[HEAD], outputs=["rle"])])
    events = list(client.events(batch))
    assert events[0].type == "batch.state"
    assert events[-1].ends(batch.id)
    seen = next(event for event in everything if event.type == "batch.completed" and event.data["id"] == batch.id)
    assert seen.data["counts"]["succeeded"] == 1
    everything.close()


def test_a_long_manifest_is_sent_in_parts_and_completes_as_one_batch(
    client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PART_BYTES", 1000)
    items = [{"id": str(i), "image": url, "prompts": [{"box": HEAD}] if i % 7 else []} for i in range(30)]
    batch = client.batches.create(items, defaults={"outputs": ["rle"], "device": "gpu"})
    assert batch.counts["total"] == 25
    assert [error["line"] for error in batch.errors] == [1, 8, 15, 22, 29]
    assert batch.status == "running"  # no longer receiving: the last part has come
    with pytest.raises(Timeout):
        batch.wait(0.1)
    batch.cancel()
    batch.wait(300)
    assert batch.status == "canceled"
    assert [item.status for item in batch.results()] == ["canceled"] * 25


def test_a_manifest_that_is_sent_again_adds_only_what_is_new(client: Client, url: str) -> None:
    name = uuid.uuid4().hex
    items = [Item(url, id=str(i), boxes=[HEAD], device="gpu") for i in range(3)]
    assert client.batches.create(items[:2], id=name).raw["manifest"]["added"] == 2
    assert client.batches.create(items, id=name).raw["manifest"]["added"] == 1
    client.batches.get(name).cancel()


@pytest.mark.parametrize("item", [Item("photo.jpg", id="a", boxes=[HEAD]), Item("http://a/b", boxes=[HEAD])])
def test_an_item_without_an_id_or_with_a_file_is_refused_before_it_is_sent(client: Client, item: Item) -> None:
    with pytest.raises(ValueError, match=r"needs an id|must be a URL"):
        client.batches.create([item])


def test_results_continue_where_the_connection_broke(host: Host) -> None:
    batch = {"id": "b", "status": "completed", "is_final": True, "counts": {}}
    lines = [
        json.dumps({"id": f"ü{i}\u2028", "job": f"j{i}", "status": "deleted", "error": None}, ensure_ascii=False) + "\n"
        for i in range(50)
    ]
    whole = "".join(lines).encode()
    sizes = [0, 10, 10, 333, len(whole) - 1]

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(whole)))
        request.end_headers()
        request.wfile.write(whole[: sizes.pop(0)] if sizes else whole)
        request.connection.close()

    host.serve("/v1/batches/b", json.dumps(batch).encode())
    host.answers["/v1/batches/b/results"] = answer
    with Client(f"http://{host.address}") as client:
        assert [item.id for item in client.batches.get("b").results()] == [f"ü{i}\u2028" for i in range(50)]
    host.answers["/v1/batches/b/results"] = lambda request: request.connection.close()
    with Client(f"http://{host.address}", retry_seconds=0.3) as client, pytest.raises(Unreachable):
        list(client.batches.get("b").results())


def test_the_async_client_has_batches_too(service: Service, url: str) -> None:
    async def statuses() -> list[Any]:
        async with AsyncClient(service.url) as client:
            batch = await client.batches.create([Item(url, id="a", boxes=[HEAD], outputs=["rle"])])
            await batch.wait(300)
            found = [item.status async for item in batch.results()]
            assert batch.id in [listed.id async for listed in client.batches.list()]
            with pytest.raises(NotFound):
                await client.batches.get("none")
            return found

    assert asyncio.run(statuses()) == ["succeeded"]
