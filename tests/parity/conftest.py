"""`make parity`: against the original implementations, with the same weights; skipped where they are not installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import image
from tests.support import pictures

os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")  # PaddleX asks the internet where its models are


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """RGB, of a shape that is neither square nor the canvas's."""
    return image.decode(pictures.photo(), 10**8)[:333, :500].copy()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")
