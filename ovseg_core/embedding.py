"""What a network knows of an image, as a value: to be kept, sent to another machine, and decoded there."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.network import Features


@dataclass(frozen=True)
class Embedding:
    """The features of an image, float32, and how it lies on the canvas of `model`."""

    model: str
    features: Features
    frame: Frame

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.features)

    def rounded(self) -> Embedding:
        """As `to_bytes` keeps it: what is decoded from it does not depend on whether it was kept."""
        return replace(self, features=tuple(_half(array).astype(np.float32) for array in self.features))

    def to_bytes(self) -> bytes:
        """NumPy's `.npz` with the features in float16, in float32 where a value is beyond float16."""
        arrays = {f"features{i}": _half(array) for i, array in enumerate(self.features)}
        arrays["model"] = np.array(self.model)
        arrays["image_hw"] = np.array(self.frame.image_hw)
        arrays["canvas_size"] = np.array(self.frame.canvas_size)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy types what it does not name as a bool
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Embedding:
        """What `to_bytes` wrote. Raises ValueError for anything else, and for what was cut or changed on its way."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as kept:
                height, width = (int(side) for side in kept["image_hw"])
                names = [f"features{i}" for i in range(sum(name.startswith("features") for name in kept.files))]
                features = tuple(kept[name].astype(np.float32) for name in names)
                return cls(str(kept["model"]), features, Frame((height, width), int(kept["canvas_size"])))
        except Exception as error:  # zipfile and NumPy have many, BadZipFile, KeyError and EOFError among them
            raise ValueError(f"not an embedding: {error}") from error


def _half(array: np.ndarray) -> np.ndarray:
    try:
        with np.errstate(over="raise"):
            return array.astype(np.float16)
    except FloatingPointError:
        return array
