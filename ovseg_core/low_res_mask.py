"""From a mask in pixels of the image to low-res logits over the canvas: the mask input of a network."""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco

from ovseg_core.canvas import Frame
from ovseg_core.mask_prompt import MaskPrompt

# The logits are 10 inside the mask and -10 outside. SAM was trained with the logits of its earlier answers, which have
# no bounds, so no number is the right one. SAM 2 gives the masks of its users these two logits: the probability is
# 0.99995, that of a mask without doubt, and at the edge it changes within one cell.
LOGIT = 10.0


def of(mask: MaskPrompt, frame: Frame, stride: int) -> np.ndarray:
    """Return logits (S/stride, S/stride) float32 of a mask of the whole image.

    A cell has the logit of the share of its area that is on the object, which is 0 for a half. What lies outside the
    image is not on the object.
    """
    (height, width), (resized_height, resized_width) = frame.image_hw, frame.resized_hw
    rows, columns = -(-resized_height // stride), -(-resized_width // stride)  # the cells that touch the image
    # The edge of the last cell is the edge of a pixel, to within half a pixel of the image.
    padded_hw = round(rows * stride * height / resized_height), round(columns * stride * width / resized_width)
    pixels = np.zeros(padded_hw, np.uint8)
    pixels[:height, :width] = coco.decode({"size": [height, width], "counts": mask.counts.encode()})
    pixels *= 255
    shrinks = padded_hw[0] >= rows and padded_hw[1] >= columns
    share = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    side = frame.canvas_size // stride
    logits = np.full((side, side), -LOGIT, np.float32)
    logits[:rows, :columns] = share * np.float32(2 * LOGIT / 255) - np.float32(LOGIT)
    return logits
