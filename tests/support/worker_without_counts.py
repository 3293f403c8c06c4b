"""A worker without a network, whose decoders have no limits of our own.

`python -m tests.support.worker_without_counts` runs it.
"""

from __future__ import annotations

import logging
import sys

from configs.settings import Settings
from tests.chaos.box_inference import BoxInference
from tests.support import decoder_without_counts
from worker import run
from worker.image.decoders import Decoders
from worker.worker_services import WorkerServices

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    settings = Settings()
    decoders = Decoders(settings, program=decoder_without_counts.PROGRAM)
    run.work(WorkerServices(settings, "cpu", BoxInference(encode_seconds=0), decoders), "cpu")
