"""Graphs that are shipped with a network: its parts as ONNX files without weights.

They fit every checkpoint of the network, and the first start of the network does not need Paddle. A folder of graphs
contains each `PART.onnx` as `onnx_files.translate` writes it, and `places.json`, which lists the place of each array of
a checkpoint in `PART.weights`. `python -m training graphs` writes the graphs of SAM-Lite.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

from ovseg_core import checkpoints, digests

PLACES = "places.json"


class Place(NamedTuple):
    """Where an array of a checkpoint is stored: at `offset` in `PART.weights`."""

    part: str
    offset: int  # bytes
    name: str
    shape: list[int]
    is_linear: bool  # True for the weight of a linear layer, which is stored as (in, out)


def digest(graphs: Path) -> str:
    """Return a digest of a folder of graphs and of the code that adds the weights."""
    return f"{digests.of_weights(graphs)} {digests.of_code(__name__)}"


def fill(graphs: Path, network: str, weights: Path, to: Path) -> None:
    """Copy a network's graphs into a folder and write these weights next to them.

    Raises what `checkpoints.read` and `checkpoints.fitted` raise.
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
