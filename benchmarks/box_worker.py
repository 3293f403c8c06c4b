"""A worker whose network costs nothing, so that only the service's own time remains.

An argument is the number of seconds for which encoding an image sleeps; by default none.
"""

from __future__ import annotations

import logging
import sys

from configs.settings import Settings
from tests.chaos.box_inference import BoxInference
from worker import run
from worker.worker_services import WorkerServices

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    encode_seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    run.work(WorkerServices(Settings(), "cpu", BoxInference(encode_seconds)), "cpu")
