"""Requests to object storage."""

from __future__ import annotations

from typing import Any

from configs.settings import Settings
from worker.store.storage import IMPATIENT, Storage


def test_a_put_of_the_client_sends_its_body_without_asking_for_permission_first(s3_settings: Settings) -> None:
    storage, sent = Storage(s3_settings, IMPATIENT), []

    def look(request: Any, **_: object) -> None:
        sent.append({name.lower() for name in request.headers})

    storage._client.meta.events.register("before-sign.s3.PutObject", look)
    storage.put("a", b"body", "text/plain")
    assert storage.get("a") == b"body"
    assert [("expect" in names, "content-type" in names) for names in sent] == [(False, True)]
