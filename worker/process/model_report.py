"""What a worker reports about its models: which are installed on its machine, and which of them it has loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ovseg_core import models


@dataclass(frozen=True)
class ModelReport:
    """The models and detectors that a worker can run.

    `installed` has the size of each model's weights, in bytes; `loaded` has the engine and the precision of each model
    that the worker has used.
    """

    installed: Mapping[str, int]
    loaded: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, loaded: Mapping[str, tuple[str, str]]) -> ModelReport:
        """Return the report of this machine. The weights of another model may be used, see `models.resolved`."""
        sizes = {name: models.resolved(name).installed_bytes for name in models.all_models()}
        sizes |= {name: spec.installed_bytes for name, spec in models.all_detectors().items()}
        return cls({name: size for name, size in sizes.items() if size is not None}, loaded)

    @classmethod
    def from_json(cls, written: str) -> ModelReport:
        found = json.loads(written)
        return cls(
            found["installed"], {name: (engine, precision) for name, (engine, precision) in found["loaded"].items()}
        )

    @property
    def fields(self) -> dict[str, Any]:
        return {"installed": self.installed, "loaded": self.loaded}

    def to_json(self) -> str:
        return json.dumps(self.fields, separators=(",", ":"))
