"""Unpickling that can build arrays and nothing else: a checkpoint is data and must not run code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import IO, Any


class Forbidden(ValueError):
    """The file names something that no checkpoint needs."""


class Unpickler(pickle.Unpickler):
    """An unpickler that accepts only the names in `allowed`: ("module", "name") -> the object to use for it."""

    def __init__(self, file: IO[bytes], allowed: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise Forbidden(f"the checkpoint names {module}.{name}, which a checkpoint may not load")
        return self._allowed[module, name]
