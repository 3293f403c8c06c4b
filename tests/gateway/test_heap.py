"""The gateway returns the memory of large images to the operating system."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support import bombs
from tests.support.lone_gateway import LoneGateway

MAX_KEPT_KB = 150_000  # without gateway/server/heap.py it is about 400,000


def test_the_memory_of_large_images_is_returned(gateway: LoneGateway) -> None:
    image = bombs.bmp_rle_empty_runs()  # 18 MB

    def send(_: int) -> int:
        form: dict[str, bytes | tuple[None, str]] = {
            "image": image,
            "request": (None, '{"prompts": [{"box": [0, 0, 9, 9]}]}'),
        }
        answer = requests.post(f"{gateway.url}/v1/jobs", files=form, timeout=60)
        return answer.status_code

    before = gateway.status("VmRSS")
    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(send, range(16))) == {202}
    deadline = time.monotonic() + 20
    while (kept := gateway.status("VmRSS") - before) > MAX_KEPT_KB:  # until the last image is in storage
        assert time.monotonic() < deadline, f"{kept:,} kB"
        time.sleep(0.2)
