"""Uploads of images through kills and outages: made and sent until both have succeeded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import requests

PAUSE_SECONDS, ANSWER_SECONDS = 0.25, 30.0
RECEIVED_BEFORE = 412  # the PUT before had no answer, but the file arrived


def put(url: str, headers: Callable[[], Mapping[str, str]], image: bytes, stopping: threading.Event) -> str:
    """Upload a PNG through the gateway at `url`. Return the id of the upload, or `stopped` if `stopping` is set.

    `headers` returns those for the gateway: while the upload is made, the API key may be revoked and replaced.
    """
    fields = {"content_type": "image/png", "size": len(image)}
    made = _until(stopping, "POST", f"{url}/v1/uploads", {201}, lambda: {"json": fields, "headers": headers()})
    if made is None:
        return "stopped"
    upload: dict[str, Any] = made.json()
    sent = {"data": image, "headers": upload["headers"]}
    _until(stopping, upload["method"], upload["url"], {200, RECEIVED_BEFORE}, lambda: sent)
    return str(upload["id"])


def _until(
    stopping: threading.Event, method: str, url: str, good: set[int], sent: Callable[[], Mapping[str, Any]]
) -> requests.Response | None:
    """Send a request until its answer has a good status. Returns None if `stopping` is set before."""
    while not stopping.is_set():
        given = sent()
        try:
            answer = requests.request(method, url, timeout=ANSWER_SECONDS, **given)
        except requests.RequestException:
            stopping.wait(PAUSE_SECONDS)
            continue
        if answer.status_code in good:
            return answer
        is_revoked = answer.status_code == 401 and sent() != given
        assert is_revoked or answer.status_code >= 500, f"{method} {url}: {answer.status_code} {answer.text}"
        stopping.wait(PAUSE_SECONDS)
    return None
