"""Graphs that come with a network's layers: its parts as ONNX without their weights. They fit every checkpoint of the
network, and its first start needs no Paddle.

A folder of them holds each `PART.onnx` as `onnx_files.translate` writes it, and `places.json`: where in `PART.weights`
each array of a checkpoint belongs.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from ovseg_core import checkpoints, digests
from ovseg_core.engines.parts import Parts

PLACES = "places.json"


class Place(NamedTuple):
    """Where an array of a checkpoint belongs."""

    part: str
    offset: int  # bytes
    name: str
    shape: list[int]
    is_linear: bool  # the weight of a linear layer, (in, out)


def digest(graphs: Path) -> str:
    """A digest of a folder of graphs, and of the code that fills them."""
    return f"{digests.of_weights(graphs)} {digests.of_code(__name__)}"


def fill(graphs: Path, network: str, weights: Path, to: Path) -> None:
    """Write a network's graphs and these weights into a folder.

    Raises as `checkpoints.read`, and ValueError as `checkpoints.fitted`.
    """
    places = [Place(*fields) for fields in json.loads((graphs / PLACES).read_text())]
    shapes = {place.name: tuple(place.shape) for place in places}
    linear = {place.name for place in places if place.is_linear}
    arrays = checkpoints.fitted(checkpoints.read(weights), network, shapes, linear)
    for graph in graphs.glob("*.onnx"):
        copyfile(graph, to / graph.name)
        with (to / f"{graph.stem}.weights").open("wb") as file:
            for place in places:
                if place.part == graph.stem:
                    file.seek(place.offset)
                    file.write(arrays[place.name].tobytes())


def write(parts: Parts, graphs: Path) -> None:
    """Write the graphs of a network, in the form in which they are shipped, into a folder."""
    import onnx_ir as ir

    from ovseg_core.engines import onnx_files

    linear = checkpoints.linear_weights(parts)
    places = []
    with TemporaryDirectory() as folder:
        onnx_files.translate(parts, Path(folder))
        for graph in sorted(Path(folder).glob("*.onnx")):
            copyfile(graph, graphs / graph.name)
            for name, value in ir.load(graph).graph.initializers.items():
                array = cast(ir.ExternalTensor, value.const_value)
                places.append(Place(graph.stem, array.offset or 0, name, list(array.shape.numpy()), name in linear))
    (graphs / PLACES).write_text("[\n" + ",\n".join(map(json.dumps, places)) + "\n]\n")
