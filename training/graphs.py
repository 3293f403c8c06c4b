"""Write SAM-Lite's ONNX graphs without weights, which `ovseg_core` ships: `python -m training graphs`.

They depend on its layers alone and fit every checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import onnx_ir as ir

from ovseg_core import checkpoints
from ovseg_core.engines import onnx_files
from ovseg_core.engines.shipped import PLACES, Place
from ovseg_core.lite.parts import LiteParts


def write(to: Path) -> None:
    """Write each `PART.onnx` and `places.json` into a folder, in the format that `engines.shipped` reads."""
    to.mkdir(parents=True, exist_ok=True)
    parts = LiteParts()
    parts.eval()
    linear = checkpoints.linear_weights(parts)
    places = []
    with TemporaryDirectory() as folder:
        onnx_files.translate(parts, Path(folder))
        for graph in sorted(Path(folder).glob("*.onnx")):
            copyfile(graph, to / graph.name)
            for name, value in ir.load(graph).graph.initializers.items():
                array = value.const_value
                assert isinstance(array, ir.ExternalTensor)
                places.append(Place(graph.stem, array.offset or 0, name, list(array.shape.numpy()), name in linear))
    (to / PLACES).write_text("[\n" + ",\n".join(map(json.dumps, places)) + "\n]\n")
