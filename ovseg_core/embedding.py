"""What a network knows of an image, as a value: to be kept, sent to another machine, and decoded there."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.network import Features


@dataclass(frozen=True)
class Embedding:
    """What a model's image encoder found in an image: all that is needed to segment the image with any prompts.

    It is the image embedding of Segment Anything (https://arxiv.org/abs/2304.02643, section 3). It can be kept, sent
    and decoded elsewhere, by the same model.

    Attributes:
        model: name of the model that made it, the only one that can decode it.
        features: float32 arrays, in the number and the shapes of that model: for SAM one (64, 64, 256).
        frame: height and width of the image in pixels, and how the image lies on the model's square canvas.
    """

    model: str
    features: Features
    frame: Frame

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the features take."""
        return sum(array.nbytes for array in self.features)

    def rounded(self) -> Embedding:
        """The embedding with its features rounded as `to_bytes` rounds them. What is decoded from it does not depend on
        whether it was stored in between."""
        return replace(self, features=tuple(_half(array).astype(np.float32) for array in self.features))

    def to_bytes(self) -> bytes:
        """The embedding as a NumPy `.npz` file: features in float16, or in float32 if a value exceeds float16's range.
        `from_bytes` reads it."""
        arrays = {f"features{i}": _half(array) for i, array in enumerate(self.features)}
        arrays["model"] = np.array(self.model)
        arrays["image_hw"] = np.array(self.frame.image_hw)
        arrays["canvas_size"] = np.array(self.frame.canvas_size)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy types what it does not name as a bool
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Embedding:
        """The embedding that `to_bytes` wrote.

        Raises:
            ValueError: the bytes are something else, or were cut or changed.
        """
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
