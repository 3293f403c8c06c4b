"""Compare with IDEA's own Grounding DINO (`groundingdino-py`), with random weights in files as IDEA published them.

`make parity-idea` runs it in an environment of its own, because IDEA's code needs an older version of transformers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core.grounding_dino.shape import SHAPES
from tests.parity.detector_parts import PHRASES, Given, check_parts

pytest.importorskip("groundingdino")

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("name", ["grounding_dino_t", "grounding_dino_b"])
def test_every_part_of_the_public_size_agrees_on_openvino(name: str, folder: Path, photo: np.ndarray) -> None:
    from tests.support import idea_grounding_dino

    given = Given.of(photo, PHRASES)
    net, _ = idea_grounding_dino.drawn(SHAPES[name], given.tokens)
    weights = folder / f"{name}.pth"
    idea_grounding_dino.save(net, weights)
    expected = idea_grounding_dino.observed(net, given.canvas, given.resized_hw)
    del net
    check_parts(name, weights, given, expected)
    weights.unlink()
