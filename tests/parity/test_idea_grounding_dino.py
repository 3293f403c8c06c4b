"""Compare with IDEA's own Grounding DINO (`groundingdino-py`), with random weights in files as IDEA published them.

`make parity-idea` runs it in an environment of its own, because IDEA's code needs an older version of transformers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core.grounding_dino.shape import SHAPES
from tests.parity.detector_parts import PHRASES, Given, check_encoders

pytest.importorskip("groundingdino")

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("name", ["grounding_dino_t", "grounding_dino_b"])
def test_every_part_before_the_decoder_agrees_in_the_public_size_on_openvino(
    name: str, folder: Path, photo: np.ndarray
) -> None:
    """With random weights of this size, all boxes have a side near 0 or 1. There IDEA's decoder differs from ours.

    It cuts boxes at 1e-3 before it takes logits, and transformers and ours do so at 1e-5. The decoder is compared in a
    small size: tests/ovseg_core/test_grounding_dino.py.
    """
    from tests.support import idea_grounding_dino

    given = Given.of(photo, PHRASES)
    net, _ = idea_grounding_dino.drawn(SHAPES[name], given.tokens)
    weights = folder / f"{name}.pth"
    idea_grounding_dino.save(net, weights)
    expected = idea_grounding_dino.observed(net, given.canvas, given.resized_hw)
    del net
    check_encoders(name, weights, given, expected)
    weights.unlink()
