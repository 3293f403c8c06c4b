"""Which requests count as the same submission."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from configs import webhook_secret
from configs.settings import Settings
from tests.support import pictures
from worker.job.idempotency import fingerprint
from worker.job.parsing import parse, parse_embedding

URL = "https://example.com/cat.jpg"
BASE: dict[str, Any] = {"image": URL, "prompts": [{"box": [1, 2, 30, 40]}], "metadata": {"a": 1, "b": None}}


SETTINGS = Settings(webhook_secret=webhook_secret.new())
HOOK = "https://example.com/hook"


def fingerprint_of(body: dict[str, Any], image_file: bytes | None = None) -> str:
    return fingerprint(parse(body, image_file, SETTINGS)[0])


@pytest.mark.parametrize(
    "body",
    [
        dict(reversed(BASE.items())),
        {**BASE, "metadata": {"b": None, "a": 1}},
        {**BASE, "model": "SAM-Lite", "device": "auto", "deadline": None},
        {**BASE, "prompts": [{"box": [1.0, 2, 30, 40.0]}]},
        {"image": URL, "prompt": [[1, 2, 30, 40]], "promptType": "box", "metadata": BASE["metadata"]},
    ],
    ids=["order", "order of metadata", "defaults spelled out", "1.0 is 1", "PaddleX's spelling"],
)
def test_different_spellings_of_a_request_have_the_same_fingerprint(body: dict[str, Any]) -> None:
    assert fingerprint_of(body) == fingerprint_of(BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"image": URL + "?v=2"},
        {"prompts": [{"box": [1, 2, 30, 41]}]},
        {"prompts": BASE["prompts"] * 2},
        {"metadata": {"a": 1}},
        {"outputs": ["rle"]},
        {"deadline": {"run_within_s": 60}},
    ],
)
def test_different_requests_have_different_fingerprints(change: dict[str, Any]) -> None:
    assert fingerprint_of({**BASE, **change}) != fingerprint_of(BASE)


def test_an_image_is_compared_by_its_bytes_and_not_by_how_it_was_sent() -> None:
    rest = {"prompts": BASE["prompts"]}
    png, jpeg = pictures.noise(50, 50), pictures.photo()
    assert fingerprint_of(rest, jpeg) == fingerprint_of({**rest, "image": base64.b64encode(jpeg).decode()})
    assert fingerprint_of(rest, jpeg) != fingerprint_of(rest, png)


PNM = b"P5 4 4 255\n" + bytes(16)
POINT = {"prompts": [{"points": [[1, 1]]}]}
EVERYTHING = {
    "image": URL,
    "model": "SAM-Lite",
    "prompts": [{"box": [1, 2, 30, 40], "points": [[1.5, 2], [3, 4]], "labels": [1, 0]}],
    "device": "gpu",
    "outputs": ["png", "rle"],
    "metadata": {"\u00e9": [1, None, 1e-300]},
    "webhook": {"url": HOOK, "events": ["job.failed", "job.started"]},
    "deadline": {"run_within_s": 60},
}


@pytest.mark.parametrize(
    ("body", "image_file", "digest"),
    [
        (
            {"image": URL, "prompts": [{"box": [1, 2, 30, 40]}]},
            None,
            "1c02074012f2df629da8680eb29194bd987533a9d044a8380f60e1fa2d862cb3",
        ),
        (EVERYTHING, None, "bd06837dfb8750d9222f9df0840f164dbf170d8ef1d3c29f42032c41443cbd66"),
        (POINT, PNM, "2a6c3f9e6ac112ab6c94b423384ebbaad029bf0e837b64edc840c82f8e7f5cab"),
    ],
    ids=["a URL", "every option", "a file"],
)
def test_a_key_that_was_used_before_an_upgrade_still_matches(
    body: dict[str, Any], image_file: bytes | None, digest: str
) -> None:
    assert fingerprint_of(body, image_file) == digest


def test_an_embedding_that_was_requested_before_an_upgrade_still_matches() -> None:
    request, _ = parse_embedding({}, PNM, SETTINGS)
    assert fingerprint(request) == "6fc8be6771624203cb3e71032f69d9bc9a4ed87a48c03c3375eb0d513c8bacce"


def test_where_an_image_is_stored_makes_no_difference() -> None:
    request, _ = parse(POINT, PNM, SETTINGS)
    stored = request.model_copy(update={"image": request.image.model_copy(update={"key": "jobs/mine/input"})})
    assert fingerprint(stored) == fingerprint(request)
