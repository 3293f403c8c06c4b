"""`make parity`: against the original implementations, with the same weights; skipped where they are not installed."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import image
from tests import pictures

os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")  # PaddleX asks the internet where its models are


def stub_torchvision() -> None:
    """`segment_anything` imports more of torchvision than is used here, which is a resize, and that is Pillow's."""
    from PIL import Image

    if "torchvision" in sys.modules:
        return
    for name in ("", ".ops", ".ops.boxes", ".transforms", ".transforms.functional"):
        sys.modules[f"torchvision{name}"] = types.ModuleType(f"torchvision{name}")
    boxes, functional = sys.modules["torchvision.ops.boxes"], sys.modules["torchvision.transforms.functional"]
    boxes.batched_nms = boxes.box_area = None  # type: ignore[attr-defined]
    functional.to_pil_image = Image.fromarray  # type: ignore[attr-defined]
    functional.resize = lambda picture, hw: picture.resize(hw[::-1], Image.Resampling.BILINEAR)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """RGB, of a shape that is neither square nor the canvas's."""
    return image.decode(pictures.photo(), 10**8)[:333, :500].copy()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")
