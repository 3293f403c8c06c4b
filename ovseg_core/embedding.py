"""The embedding of an image: a value that can be stored, sent to another machine and decoded there."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.network import Features


@dataclass(frozen=True)
class Embedding:
    """The output of a model's image encoder for one image. It is all that is needed to segment the image by prompts.

    It is the image embedding of Segment Anything (https://arxiv.org/abs/2304.02643, section 3). It can be stored, sent
    to another machine and decoded there by the same model.

    Attributes:
        model: name of the model that made it. Only this model can decode it.
        features: float32 arrays. The model defines their number and shapes: one array (64, 64, 256) for SAM.
        frame: height and width of the image in pixels, and the side of the model's square canvas in canvas pixels.
        weights_sha256: SHA-256 of the weights that made it, in hexadecimal, since another edition of the model cannot
            decode it. Empty if they are not known.
    """

    model: str
    features: Features
    frame: Frame
    weights_sha256: str = ""

    @property
    def nbytes(self) -> int:
        """Size of the features in memory, in bytes."""
        return sum(array.nbytes for array in self.features)

    def rounded(self) -> Embedding:
        """Return the embedding with its features rounded as `to_bytes` rounds them.

        Masks that are decoded from it are the same whether or not it was stored in between.
        """
        return replace(self, features=tuple(_half(array).astype(np.float32) for array in self.features))

    def to_bytes(self) -> bytes:
        """Return the embedding as the bytes of a NumPy `.npz` file, which `from_bytes` reads.

        An array of features is stored in float16, or in float32 if a value exceeds the range of float16.
        """
        arrays = {f"features{i}": _half(array) for i, array in enumerate(self.features)}
        arrays["model"] = np.array(self.model)
        arrays["weights_sha256"] = np.array(self.weights_sha256)
        arrays["image_hw"] = np.array(self.frame.image_hw)
        arrays["canvas_size"] = np.array(self.frame.canvas_size)
        if self.frame.is_stretched:
            arrays["is_stretched"] = np.array(True)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's type for further keywords is bool
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Embedding:
        """Read an embedding.

        Args:
            data: the bytes that `to_bytes` returned.

        Returns:
            The embedding, with features in float32.

        Raises:
            ValueError: the bytes are not those of an embedding, or are truncated or corrupt.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                height, width = (int(side) for side in stored["image_hw"])
                names = [f"features{i}" for i in range(sum(name.startswith("features") for name in stored.files))]
                features = tuple(stored[name].astype(np.float32) for name in names)
                frame = Frame((height, width), int(stored["canvas_size"]), "is_stretched" in stored)
                return cls(str(stored["model"]), features, frame, str(stored["weights_sha256"]))
        except Exception as error:  # zipfile and NumPy raise many kinds: BadZipFile, KeyError, EOFError and others
            raise ValueError(f"not an embedding: {error}") from error


def _half(array: np.ndarray) -> np.ndarray:
    try:
        with np.errstate(over="raise"):
            return array.astype(np.float16)
    except FloatingPointError:
        return array
