"""Small holes are filled, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ovseg_core import holes


def ring(hole: int) -> np.ndarray:
    """Return logits of 16 x 16 cells with a mask of 12 x 12 cells that has a square hole."""
    logits = np.full((16, 16), -1, np.float32)
    logits[2:14, 2:14] = 1
    logits[5 : 5 + hole, 5 : 5 + hole] = -3
    return logits


@pytest.mark.parametrize(("hole", "is_filled"), [(1, True), (4, True), (5, False), (8, False)])
def test_a_hole_is_filled_if_it_is_small(hole: int, is_filled: bool) -> None:
    filled = holes.filled(ring(hole), 0.0, max_share=0.15)
    assert bool((filled[5 : 5 + hole, 5 : 5 + hole] > 0).all()) == is_filled


def test_a_bay_that_is_open_to_the_outside_is_not_filled() -> None:
    logits = ring(3)
    logits[5, :5] = -3
    assert holes.filled(logits, 0.0, max_share=1.0) is logits


@given(
    arrays.arrays(np.float32, (9, 11), elements=st.sampled_from([-1.0, 0.25, 2.0])),
    st.sampled_from([-0.3, 0.0]),
    st.floats(0, 1),
)
def test_filling_only_adds_to_a_mask_and_keeps_its_border(
    logits: np.ndarray, mask_threshold: float, share: float
) -> None:
    before, after = logits > mask_threshold, holes.filled(logits, mask_threshold, share) > mask_threshold
    assert (before <= after).all()
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert (before[edge] == after[edge]).all()
    again = holes.filled(holes.filled(logits, mask_threshold, share), mask_threshold, share) > mask_threshold
    assert (again >= after).all()
