"""Embeddings as values that are stored and sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ovseg_core import image
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.support import pictures

features = st.lists(
    arrays.arrays(np.float32, arrays.array_shapes(max_dims=3), elements=st.floats(-1e6, 1e6, width=32)), max_size=3
)


@given(features, st.integers(1, 9000), st.integers(1, 9000), st.booleans())
def test_a_stored_embedding_is_read_back_as_rounded(
    features: list[np.ndarray], height: int, width: int, is_stretched: bool
) -> None:
    embedding = Embedding("a model", tuple(features), Frame((height, width), 640, is_stretched), "ab" * 32)
    rounded, restored = embedding.rounded(), Embedding.from_bytes(embedding.to_bytes())
    assert (restored.model, restored.frame) == (embedding.model, embedding.frame)
    assert restored.weights_sha256 == embedding.weights_sha256
    for expected, found, exact in zip(rounded.features, restored.features, embedding.features, strict=True):
        assert found.dtype == np.float32
        assert np.array_equal(expected, found)
        assert np.allclose(found, exact, rtol=1e-3, atol=1e-7)


@given(st.binary(max_size=300))
def test_bytes_that_are_not_an_embedding_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an embedding"):
        Embedding.from_bytes(data)


def test_rounding_an_embedding_changes_masks_by_less_than_a_thousandth() -> None:
    segmenter = Segmenter.open("SAM-Lite", precision="float32")
    embedding = segmenter.encode(image.decode(pictures.photo(), 10**8))
    prompts = [Prompt.of_box(140, 10, 305, 180), Prompt.of_point(220, 90)]
    for exact, rounded in zip(*(segmenter.decode(e, prompts) for e in (embedding, embedding.rounded())), strict=True):
        a, b = exact.full(), rounded.full()
        assert (a & b).sum() / (a | b).sum() > 0.999
        assert abs((exact.score or 0) - (rounded.score or 0)) < 1e-3
