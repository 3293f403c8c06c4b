"""A folder with an inference model: `inference.json` (or `inference.pdmodel`), `inference.pdiparams` and
`inference.yml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

GRAPHS = ("inference.json", "inference.pdmodel")  # Paddle 3's and Paddle 2's
WEIGHTS, INDEX_FILE = "inference.pdiparams", "inference.yml"
PROMPT_TYPES = {"SAM-H_box": "box", "SAM-H_point": "point"}
CANVAS = 1024


@dataclass(frozen=True)
class InferenceFolder:
    """What lies in the folder, and what its `inference.yml` says."""

    graph: Path
    weights: Path
    model_name: str  # one of PROMPT_TYPES
    canvas_size: int

    @classmethod
    def read(cls, folder: Path) -> InferenceFolder:
        """Raises ValueError for a folder that is not such a model, and says what it lacks."""
        missing = [name for name in (INDEX_FILE, WEIGHTS) if not (folder / name).is_file()]
        graphs = [folder / name for name in GRAPHS if (folder / name).is_file()]
        if missing or not graphs:
            raise ValueError(f"{folder} is not a PaddleX inference model: it has no {(missing or GRAPHS)[0]}")
        index = yaml.safe_load((folder / INDEX_FILE).read_text())
        name = index.get("Global", {}).get("model_name")
        if name not in PROMPT_TYPES:
            raise ValueError(f"{folder / INDEX_FILE}: Global.model_name is {name!r}, not {' or '.join(PROMPT_TYPES)}")
        size = index.get("Processor", {}).get("size", CANVAS)
        return cls(graphs[0], folder / WEIGHTS, name, int(size))
