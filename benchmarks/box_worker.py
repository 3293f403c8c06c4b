"""A worker whose network costs nothing, so that only the service's own time remains."""

from __future__ import annotations

import logging
import sys

from configs.settings import Settings
from tests.chaos.box_inference import BoxInference
from worker import run
from worker.worker_services import WorkerServices

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    run.work(WorkerServices(Settings(), "cpu", BoxInference(encode_seconds=0)), "cpu")
