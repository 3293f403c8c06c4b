"""Read a folder with an inference model.

It contains `inference.json` (or `inference.pdmodel`), `inference.pdiparams` and `inference.yml`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GRAPHS = ("inference.json", "inference.pdmodel")  # of Paddle 3 and of Paddle 2
WEIGHTS, INDEX_FILE = "inference.pdiparams", "inference.yml"
PROMPT_TYPES = {"SAM-H_box": "box", "SAM-H_point": "point"}
DETECTORS = ("GroundingDINO-T",)
CANVAS = 1024  # pixels: the size of a SAM's canvas if `inference.yml` contains none


@dataclass(frozen=True)
class InferenceFolder:
    """The files in the folder, and what its `inference.yml` specifies."""

    graph: Path
    weights: Path
    model_name: str
    index: Mapping[str, Any]  # the content of `inference.yml`

    @classmethod
    def read(cls, folder: Path, names: Collection[str] = PROMPT_TYPES) -> InferenceFolder:
        """Read a folder with a model of one of these names.

        Raises ValueError if it is not an inference model of PaddleX, and names what is missing, or is another model.
        """
        missing = [name for name in (INDEX_FILE, WEIGHTS) if not (folder / name).is_file()]
        graphs = [folder / name for name in GRAPHS if (folder / name).is_file()]
        if missing or not graphs:
            raise ValueError(f"{folder} is not a PaddleX inference model: it has no {(missing or GRAPHS)[0]}")
        try:
            index = yaml.safe_load((folder / INDEX_FILE).read_text())
        except yaml.YAMLError as error:
            raise ValueError(f"{folder / INDEX_FILE} is not YAML: {error}") from None
        if not isinstance(index, dict):
            raise ValueError(f"{folder / INDEX_FILE} is not a mapping")
        name = index.get("Global", {}).get("model_name")
        if name not in names:
            raise ValueError(f"{folder / INDEX_FILE}: Global.model_name is {name!r}, not {' or '.join(names)}")
        return cls(graphs[0], folder / WEIGHTS, name, index)

    @property
    def canvas_size(self) -> int:
        """The side of a SAM's canvas, in pixels."""
        return int(self.index.get("Processor", {}).get("size", CANVAS))
