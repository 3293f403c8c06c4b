"""What counts as the same submission."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from configs.settings import Settings
from tests.support import pictures
from worker.job.idempotency import fingerprint
from worker.job.parsing import parse

URL = "https://example.com/cat.jpg"
BASE: dict[str, Any] = {"image": URL, "prompts": [{"box": [1, 2, 30, 40]}], "metadata": {"a": 1, "b": None}}


def of(body: dict[str, Any], image_file: bytes | None = None) -> str:
    return fingerprint(parse(body, image_file, Settings()))


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
def test_what_means_the_same_is_the_same(body: dict[str, Any]) -> None:
    assert of(body) == of(BASE)


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
def test_what_asks_for_something_else_is_not(change: dict[str, Any]) -> None:
    assert of({**BASE, **change}) != of(BASE)


def test_an_image_is_its_bytes_however_they_came() -> None:
    rest = {"prompts": BASE["prompts"]}
    png, jpeg = pictures.noise(50, 50), pictures.photo()
    assert of(rest, jpeg) == of({**rest, "image": base64.b64encode(jpeg).decode()})
    assert of(rest, jpeg) != of(rest, png)
