"""A worker whose encodings wait at a gate, for tests of what else a worker does meanwhile.

`python -m tests.support.gated_worker` runs one. Its gate is open while the key `gate` in Redis exists.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import numpy as np

from configs.settings import Settings
from ovseg_core.embedding import Embedding
from tests.chaos.box_inference import BoxInference
from worker import run
from worker.inference.urgency import Urgency
from worker.store.keyspace import Keyspace
from worker.worker_services import WorkerServices


class GatedInference(BoxInference):
    """An encoding calls `wait` first."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__(encode_seconds=0)
        self._wait = wait

    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency = Urgency.NORMAL) -> tuple[Embedding, float]:
        self._wait()
        return super().encode(model, image_rgb, urgency)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    settings = Settings()
    keyspace = Keyspace.open(settings)

    def wait() -> None:
        while not keyspace.redis.exists(keyspace.key("gate")):
            time.sleep(0.02)

    run.work(WorkerServices(settings, "cpu", GatedInference(wait)), "cpu")


if __name__ == "__main__":
    main()
