"""The gateway returns the memory of large images to the operating system."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from tests.support import bombs
from tests.support.lone_gateway import LoneGateway
from tests.support.waiting import wait_until

MAX_KEPT_KB = 150_000  # without gateway/server/heap.py it is about 400,000
# On a busy machine Redis may take longer than its time-out to store 18 MB. The answer is 503 with Retry-After.
PATIENT = HTTPAdapter(max_retries=Retry(60, status_forcelist=[503], allowed_methods=None))


def test_the_memory_of_large_images_is_returned(gateway: LoneGateway) -> None:
    image = bombs.bmp_rle_empty_runs()  # 18 MB

    def send(_: int) -> int:
        form: dict[str, bytes | tuple[None, str]] = {
            "image": image,
            "request": (None, '{"prompts": [{"box": [0, 0, 9, 9]}]}'),
        }
        with requests.Session() as session:
            session.mount("http://", PATIENT)
            return session.post(f"{gateway.url}/v1/jobs", files=form, timeout=60).status_code

    before = gateway.status("VmRSS")
    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(send, range(16))) == {202}
    wait_until(lambda: gateway.status("VmRSS") - before < MAX_KEPT_KB)  # the last image is in storage then
