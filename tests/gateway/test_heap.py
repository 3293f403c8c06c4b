"""Memory of a gateway after many large images."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support import bombs
from tests.support.lone_gateway import LoneGateway

MOST_KEPT_KB = 150_000  # without the mend some 400,000


def test_what_large_images_took_is_given_back(gateway: LoneGateway) -> None:
    image = bombs.bmp_rle_empty_runs()  # 18 MB

    def send(_: int) -> int:
        form = {"request": (None, '{"prompts": [{"box": [0, 0, 9, 9]}]}')}
        answer = requests.post(f"{gateway.url}/v1/jobs", files={"image": image, **form}, timeout=60)
        return answer.status_code

    before = gateway.status("VmRSS")
    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(send, range(16))) == {202}
    deadline = time.monotonic() + 20
    while (kept := gateway.status("VmRSS") - before) > MOST_KEPT_KB:  # until the last has gone to storage
        assert time.monotonic() < deadline, f"{kept:,} kB"
        time.sleep(0.2)
