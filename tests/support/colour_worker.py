"""A worker whose detectors are the colour detector, which knows the words "r" and "g".

`python -m tests.support.colour_worker` runs one; OVSEG_MODELS_DIR needs a file as the detector's weights. Its detector
finds only the 15 boxes of CELLS: objects drawn there are found exactly.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from configs.settings import Settings
from ovseg_core import models
from ovseg_core.grounding_dino.detector import Detector
from tests.support import colour_detector, small_grounding_dino
from tests.support.waiting import PATIENCE_SECONDS
from worker import run
from worker.inference.detectors import Detectors
from worker.worker_services import WorkerServices

NAME = "GroundingDINO-T"  # of the detector
CELLS = (3, 5)  # rows and columns of an image
Cell = tuple[int, int]


def box(cell: Cell, image_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box in the middle of a cell, (row, column): a fifth of the image wide and high."""
    (row, column), (height, width) = cell, image_hw
    y = round((row + 0.5) / CELLS[0] * height - height / 10)
    return column * width // CELLS[1], y, (column + 1) * width // CELLS[1], y + height // 5


def scene(objects: Mapping[Cell, str], image_hw: tuple[int, int]) -> np.ndarray:
    """Return a grey image (H, W, 3) with an object in the colour of its word in each of these cells."""
    image = np.full((*image_hw, 3), colour_detector.GREY, np.uint8)
    for cell, word in objects.items():
        x0, y0, x1, y1 = box(cell, image_hw)
        image[y0:y1, x0:x1] = colour_detector.WORDS[word]
    return image


def made(folder: Path) -> Detector:
    """Return the detector; its weights are written into a folder."""
    return colour_detector.detector(small_grounding_dino.file("grounding_dino", folder), level=2)


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[None]:
    """Run a worker whose models are those of a folder and the detector."""
    (folder / models.find_detector(NAME).weights.name).write_bytes(b"weights")
    names = ("redis_url", "redis_prefix", "s3_endpoint_url", "s3_bucket")
    given = {f"OVSEG_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment = {**os.environ, **given, "OVSEG_MODELS_DIR": str(folder)}
    started = subprocess.Popen([sys.executable, "-m", "tests.support.colour_worker"], env=environment)
    try:
        yield
    finally:
        started.terminate()
        started.wait(PATIENCE_SECONDS)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)

    def opened(name: str, model_dir: Path | None, device: str, engine: str) -> Detector:
        with TemporaryDirectory() as folder:
            return made(Path(folder))

    detectors = Detectors("cpu", "auto", open_detector=opened)
    run.work(WorkerServices(Settings(), "cpu", detectors=detectors), "cpu")


if __name__ == "__main__":
    main()
