"""A small SAM 2. Each of its arrays is drawn as those of the small SAM, by its name in Meta's files: `sam_weights`.

tests/data/sam2_reference.npz has the outputs of Meta's own implementation with these weights, and the names and shapes
of its arrays. `training/references.py` wrote it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core import checkpoints
from ovseg_core.engines import in_paddle
from ovseg_core.sam2 import checkpoint
from ovseg_core.sam2.hiera import Hiera
from ovseg_core.sam2.network import Sam2
from ovseg_core.sam2.parts import Sam2Parts
from tests.support import sam_weights, torch_files
from tests.support.sam_weights import CANVAS

REFERENCE = Path(__file__).parents[1] / "data" / "sam2_reference.npz"

# On a canvas of 320 the grids are 80, 40, 20 and 10; in the last two, the windows of 14 and 7 are padded.
CHANNELS, DEPTHS, HEADS, WHOLE_GRID, BACKGROUND = 16, (1, 2, 3, 2), 1, (4,), 7


def file(folder: Path) -> Path:
    """Write the weights as Meta's files are: in "model" of a file of torch.save."""
    with np.load(REFERENCE) as reference:
        rows = [row.split() for row in reference["names"]]
    arrays = {name: sam_weights.array(name, tuple(map(int, shape))) for name, *shape in rows}
    return torch_files.torch_zip(folder / "sam2.pt", *torch_files.as_torch(arrays), wrap="model")


def load(weights: Path) -> Sam2Parts:
    """Return the layers of the small SAM 2, in the order of operations for a CPU."""
    trunk = Hiera(CHANNELS, DEPTHS, HEADS, WHOLE_GRID, CANVAS, background=BACKGROUND)
    trunk.take_turns()
    parts = Sam2Parts(trunk, CANVAS)
    parts.eval()
    checkpoints.fill(parts, checkpoint.read(weights))
    return parts


def on(engine: str, parts: Sam2Parts, weights: Path) -> Sam2:
    """Return the network on an engine, from the file that `file` wrote."""
    if engine == "paddle":
        return Sam2(in_paddle.runners(parts), CANVAS)
    pytest.importorskip(engine)  # an optional extra
    if engine == "onnxruntime":
        from ovseg_core.engines import in_onnxruntime

        return Sam2(in_onnxruntime.runners("small2", weights, lambda: parts, "cpu", "float32"), CANVAS)
    from ovseg_core.engines import in_openvino

    return Sam2(in_openvino.runners("small2", weights, lambda: parts, "float32"), CANVAS)
