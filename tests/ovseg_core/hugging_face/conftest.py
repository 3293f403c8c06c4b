"""A photo, SAM-Lite and a small detector for the tests of `pipeline` of transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovseg_core import Segmenter, image, pipeline
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.hugging_face.task_pipeline import TaskPipeline
from tests.support import paddlex_detector, pictures


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PNG file that is upright only with its EXIF orientation."""
    pixels = image.decode(pictures.photo(), 10**8)[:300, :400]
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.rot90(pixels)).save(path, exif=exif)
    return path


@pytest.fixture(scope="module")
def rgb(photo: Path) -> np.ndarray:
    """Return the upright pixels of the photo."""
    return image.decode(photo.read_bytes(), 10**8)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.open("SAM-Lite")


@pytest.fixture(scope="module")
def promptable(segmenter: Segmenter) -> TaskPipeline:
    return pipeline("promptable-segmentation", model=segmenter)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def installed(detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paddlex_detector.install(detector, tmp_path, monkeypatch)
