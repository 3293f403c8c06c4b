"""A worker whose network is free and whose decoders count nothing: `python -m tests.support.worker_without_counts`."""

from __future__ import annotations

import logging
import sys
from functools import partial

from configs.settings import Settings
from tests.chaos import box_inference
from tests.support import decoder_without_counts
from worker import run
from worker.image import decoders
from worker.inference import inference

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    box_inference.ENCODE_SECONDS = 0.0
    inference.Inference = box_inference.BoxInference  # type: ignore[assignment,misc]
    decoders.Decoders = partial(decoders.Decoders, program=decoder_without_counts.PROGRAM)  # type: ignore[assignment,misc]
    run.segmenting(Settings(), "cpu")
