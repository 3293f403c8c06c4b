"""`image-feature-extraction`: the embedding of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Picture, Task


@dataclass(frozen=True)
class ImageFeatureExtraction(Task):
    """The features of a SAM's image encoder.

    Args:
        pool: True returns the mean over all positions. transformers' models of this family cannot do that.
        return_tensors: True returns an array of NumPy instead of lists.
    """

    name: ClassVar[str] = "image-feature-extraction"

    pool: bool = False
    return_tensors: bool = False

    def answer(self, loaded: Loaded, picture: Picture) -> Any:
        """Return the image embedding, (1, C, h, w) as transformers' `SamVisionModel` does, or (1, C) with `pool`.

        The embedding covers the model's canvas. If an image is not square, a SAM's embedding also has positions beyond
        the image.

        Raises ValueError if the model has no image embedding.
        """
        assert picture.embedding is not None
        features = loaded.segmenter.image_embedding(picture.embedding)[None]
        if self.pool:
            features = features.mean(axis=(2, 3))
        return features if self.return_tensors else features.tolist()
