"""Compare with EfficientViT-SAM's own predictor, as PyPI's `efficientsam` has it, with random weights in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.pair import ENGINES, PROMPTS, Pair, relative
from tests.support import originals

torch = pytest.importorskip("torch")
with originals.importable():
    zoo = pytest.importorskip("efficientsam.sam_model_zoo")
    efficientvit = pytest.importorskip("efficientsam.models.efficientvit")

VARIANTS = ("L0", "L1", "L2", "XL0", "XL1")


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request: pytest.FixtureRequest, folder: Path, photo: np.ndarray) -> Pair:
    torch.manual_seed(0)
    with originals.importable():  # it imports more modules when it is called
        theirs = zoo.create_efficientvit_sam_model(f"efficientvit-sam-{request.param.lower()}", pretrained=False)
    draw_norms(theirs)
    return Pair(f"EfficientViT-SAM-{request.param}", theirs, efficientvit.EfficientViTSamPredictor, folder, photo)


def draw_norms(model: Any) -> None:
    """Draw what the initialisation leaves at 0 or 1: the statistics, gains and biases of the norms."""
    with torch.no_grad():
        for name, value in model.image_encoder.state_dict().items():
            if "norm" in name and value.dtype.is_floating_point:
                value.copy_(torch.rand_like(value) * 0.2 + (0.9 if name.endswith(("weight", "var")) else -0.1))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_embedding_agrees_with_that_of_the_original(pair: Pair, engine: str) -> None:
    ours = pair.embeddings[engine].features[0].transpose(2, 0, 1)
    assert relative(ours, pair.theirs.features[0].numpy()) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", PROMPTS)
def test_low_res_masks_and_masks_agree_with_those_of_the_original(pair: Pair, engine: str, kind: str) -> None:
    pair.check_masks(engine, PROMPTS[kind])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_input_is_refined_as_by_the_original(pair: Pair, engine: str) -> None:
    pair.check_mask_input(engine)
