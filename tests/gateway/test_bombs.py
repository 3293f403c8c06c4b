"""Images that are made to slow the service down, sent to it over HTTP together with an ordinary image."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support import bombs, pictures
from tests.support.fakes import Host
from tests.support.service import Service

REQUEST = {"prompts": [{"box": [0, 0, 1, 1]}]}
FOUR: dict[str, Callable[[], bytes]] = {
    "bmp_rle_ends_of_line": bombs.bmp_rle_ends_of_line,
    "jpeg_progressive_scans": lambda: bombs.jpeg_progressive_scans(scans=4000),
    "ppm_comments": lambda: bombs.ppm_comments(800_000),
    "tiff_tile": lambda: bombs.tiff_tile(16_384),
}
CALLER_ERRORS = {"image_too_costly", "image_unreadable", "image_format_unsupported", "image_too_many_pixels"}


def send(service: Service, data: bytes) -> requests.Response:
    return service.post("/v1/jobs", files={"image": ("image", data)}, data={"request": json.dumps(REQUEST)})


def code_of(service: Service, answer: requests.Response) -> str | None:
    """Return the code of the error that the gateway or the worker refused the image with; None if the job succeeded."""
    if answer.status_code == 422:
        return str(answer.json()["code"])
    assert answer.status_code == 202, answer.text
    error = service.wait(answer.json()["id"])["error"]
    return None if error is None else str(error["code"])


@pytest.mark.parametrize("way", ["sent along", "fetched"])
def test_an_ordinary_image_is_segmented_next_to_four_costly_ones(
    service: Service, trusted_host: Host, way: str
) -> None:
    files = {name: make() for name, make in FOUR.items()}

    def submit(name: str) -> requests.Response:
        if way == "sent along":
            return send(service, files[name])
        return service.post("/v1/jobs", json={"image": trusted_host.serve(f"/bomb/{name}", files[name]), **REQUEST})

    with ThreadPoolExecutor(4) as pool:
        costly = list(pool.map(submit, FOUR))
    assert code_of(service, send(service, pictures.photo())) is None
    assert {code_of(service, answer) for answer in costly} <= CALLER_ERRORS
