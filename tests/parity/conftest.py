"""`make parity`: compare with the original implementations and the same weights. Skipped if they are not installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import image
from tests.support import pictures

# Otherwise PaddleX accesses the internet to find its models.
os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Return an RGB photo whose shape is neither square nor that of the canvas."""
    return image.decode(pictures.photo(), 10**8)[:333, :500].copy()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")
