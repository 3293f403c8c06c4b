"""A worker whose network is free: what is left is the service."""

from __future__ import annotations

import logging
import sys

from configs.settings import Settings
from tests.chaos import box_inference
from worker import run
from worker.inference import inference

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    box_inference.ENCODE_SECONDS = 0.0
    inference.Inference = box_inference.BoxInference  # type: ignore[assignment,misc]
    run.segmenting(Settings(), "cpu")
