"""Uploads of the client: the file goes to the object storage, and the API key does not."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ovseg_client import ApiError, AsyncClient, Client, ImageUnreadable, InvalidRequest, Item, NotFound, Unreachable
from tests.support import fakes, pictures
from tests.support.fakes import Host, reply
from tests.support.service import Service

HEAD = [140, 10, 305, 180]


def test_an_upload_is_the_image_of_jobs_and_of_items(client: Client, photo: Path) -> None:
    upload = client.uploads.create(photo)
    assert (upload.status, upload.raw["size"]) == ("received", len(pictures.photo()))
    expected = client.segment(photo, boxes=[HEAD], outputs=["rle"]).masks[0].rle
    assert client.segment(upload, boxes=[HEAD], outputs=["rle"]).masks[0].rle == expected
    batch = client.batches.create([Item(upload, id="a", boxes=[HEAD], outputs=["rle"])])
    batch.wait(300)
    [item] = batch.results()
    assert item.result is not None
    assert item.result.masks[0].rle == expected
    client.uploads.get(upload.upload_id).delete()
    with pytest.raises(NotFound):
        upload.refresh()


def test_bytes_need_a_content_type_and_a_wrong_one_is_refused(client: Client, photo: Path) -> None:
    assert client.uploads.create(pictures.photo(), "image/jpeg").status == "received"
    with pytest.raises(ValueError, match="content_type"):
        client.uploads.create(pictures.photo())
    with pytest.raises(InvalidRequest) as caught:
        client.uploads.create(photo, "text/html")
    assert str(caught.value.field).startswith("content_type")
    with pytest.raises(ImageUnreadable):
        client.uploads.create(photo.with_name("none.jpg"))


def test_the_async_client_uploads_too(service: Service, photo: Path) -> None:
    async def status() -> str:
        async with AsyncClient(service.url) as client:
            return (await client.uploads.create(photo)).status

    assert asyncio.run(status()) == "received"


def test_an_unreachable_storage_is_named_without_the_signature(host: Host, photo: Path) -> None:
    made = {"id": "upl_a", "method": "PUT", "url": "http://127.0.0.1:9/key?X-Amz-Signature=a", "headers": {}}
    host.serve("/v1/uploads", json.dumps(made).encode(), status=201)
    with Client(f"http://{host.address}", retry_seconds=0) as client, pytest.raises(Unreachable) as caught:
        client.uploads.create(photo)
    assert "127.0.0.1:9 gave no answer" in str(caught.value)
    assert "Signature" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 412, 403])
def test_the_storage_gets_the_file_and_the_headers_but_no_key(host: Host, photo: Path, status: int) -> None:
    """412: the file arrived before, and the answer was lost."""
    with fakes.host() as storage:
        made = {"id": "upl_a", "method": "POST", "url": storage.url("/key?X-Amz-Signature=a"), "headers": {"X-A": "b"}}
        failures = [503]

        def answer(request: BaseHTTPRequestHandler) -> None:
            reply(request, failures.pop() if failures else status, b"<Error/>", {})

        storage.answers["/key?X-Amz-Signature=a"] = answer
        host.serve("/v1/uploads", json.dumps(made).encode(), status=201)
        host.serve("/v1/uploads/upl_a", json.dumps({**made, "status": "received"}).encode())
        with Client(f"http://{host.address}", "ovk_a_b") as client:
            if status == 403:
                with pytest.raises(ApiError, match="403"):
                    client.uploads.create(photo)
            else:
                assert client.uploads.create(photo).status == "received"
    assert len(storage.received) == 2
    for received in storage.received:
        assert received.body == pictures.photo()
        assert received.headers["x-a"] == "b"
        assert "authorization" not in received.headers
        assert b"ovk_a_b" not in str(received.headers).encode()
    assert host.received[0].headers["authorization"] == "Bearer ovk_a_b"
