from __future__ import annotations

import numpy as np
import pytest

from ovseg_core import low_res_mask, resample
from ovseg_core.canvas import Frame
from ovseg_core.low_res_mask import LOGIT
from ovseg_core.mask_prompt import MaskPrompt

CANVAS = 1024


@pytest.mark.parametrize("image_hw", [(480, 640), (641, 333), (40, 60), (1024, 1024), (1500, 2011)])
def test_a_mask_survives_the_way_to_low_res_logits_and_back(image_hw: tuple[int, int]) -> None:
    height, width = image_hw
    y, x = np.mgrid[:height, :width]
    pixels = ((x / width - 0.6) / 0.35) ** 2 + ((y / height - 0.55) / 0.4) ** 2 < 1
    frame = Frame(image_hw, CANVAS)
    logits = low_res_mask.of(MaskPrompt.of(pixels), frame, 4)
    assert logits.shape == (256, 256)
    assert (logits.min(), logits.max()) == (-LOGIT, LOGIT)
    box = (0.0, 0.0, *(CANVAS / frame.scale_xy).tolist())
    back = resample.to_mask(logits, box, image_hw, 0.0, None, via_canvas=frame).full()
    assert (back & pixels).sum() / (back | pixels).sum() > 0.98


def test_the_logit_of_a_cell_is_that_of_its_share_and_outside_the_image_nothing_is_on_the_object() -> None:
    pixels = np.zeros((512, 1024), bool)  # 1 pixel of the image is 1 pixel of the canvas: a cell has 4 x 4
    pixels[:, :402] = True
    logits = low_res_mask.of(MaskPrompt.of(pixels), Frame((512, 1024), CANVAS), 4)
    assert (logits[:128, :100] == LOGIT).all()
    assert np.abs(logits[:128, 100]).max() < LOGIT / 100  # a half of each cell
    assert (logits[:128, 101:] == -LOGIT).all()
    assert (logits[128:] == -LOGIT).all()


@pytest.mark.parametrize("image_hw", [(1, 1), (2, 700), (20, 60_000), (60_000, 20)])
def test_the_mask_of_a_very_thin_image_takes_little_memory(image_hw: tuple[int, int]) -> None:
    logits = low_res_mask.of(MaskPrompt.of(np.ones(image_hw, bool)), Frame(image_hw, CANVAS), 4)
    assert logits[0, 0] > -LOGIT
