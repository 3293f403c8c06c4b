"""`python -m training.idea_grounding_dino`: write the outputs of IDEA's Grounding DINO to tests/data, for our tests.

Needs the environment of `make parity-idea`.
"""

from __future__ import annotations

import numpy as np

from tests.support import idea_grounding_dino, small_grounding_dino
from tests.support.small_grounding_dino import IDEA_SHAPE, IMAGE_HW


def main() -> None:
    net, shapes = idea_grounding_dino.drawn(IDEA_SHAPE, small_grounding_dino.tokens())
    seen = idea_grounding_dino.observed(net, small_grounding_dino.canvas(), IMAGE_HW)
    np.savez_compressed(
        small_grounding_dino.IDEA_REFERENCE,
        names=np.array([" ".join([name, *map(str, shape)]) for name, shape in shapes.items()]),
        logits=seen["logits"],
        boxes=seen["boxes"],
    )


if __name__ == "__main__":
    main()
