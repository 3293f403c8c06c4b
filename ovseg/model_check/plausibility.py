"""Checks that the masks of every good model pass, for models without known answers.

The bounds are wide: a good model passes with any reasonable mask. Random or damaged weights do not pass. Their masks
are noise all over the photo, or fill the whole box.
"""

from __future__ import annotations

from ovseg.model_check.answers import Answers, key
from ovseg.model_check.questions import HEAD
from ovseg_core import rle
from ovseg_core.mask import Mask
from ovseg_core.prompts import Box, Prompt

MIN_SHARE_IN_BOX = 0.8  # of a mask's pixels. SAM's masks may leave the box a little.
FILL = (0.1, 0.95)  # how much of its box a mask covers: the objects of the photo cover 0.6 to 0.8
MAX_SHARE_OF_PHOTO = 0.9  # covered by a mask
MIN_IOU = 0.5  # with SAM-Lite's mask of the same object
OF_HEAD = Prompt.of(HEAD)  # a mask prompt is an ellipse over this object


def fault(prompt: Prompt, mask: Mask, of_sam_lite: Answers) -> str | None:
    """Return why a mask cannot be a good answer to a prompt, or None."""
    if not mask.area:
        return "the mask is empty"
    pixels = mask.full()
    if mask.area > MAX_SHARE_OF_PHOTO * pixels.size:
        return "the mask covers the whole photo"
    if prompt.box is not None and (wrong := _fault_in_box(prompt.box, mask)):
        return wrong
    if prompt.kind in ("box", "mixed", "mask"):  # these are not ambiguous
        known = of_sam_lite.by_prompt[key(OF_HEAD if prompt.mask else prompt)]
        if (iou := rle.iou(mask.counts, known.counts, mask.image_hw)) < MIN_IOU:
            return f"the IoU with SAM-Lite's mask of the same object is {iou:.2f}, less than {MIN_IOU}"
    for (x, y), label in zip(prompt.points, prompt.labels, strict=True):
        if pixels[int(y), int(x)] != label:
            return f"the mask {'does not contain' if label else 'contains'} the click ({x:g}, {y:g}) of label {label}"
    if mask.score is not None and not 0 < mask.score <= 1:
        return f"the predicted IoU is {mask.score:g}"
    return None


def _fault_in_box(box: Box, mask: Mask) -> str | None:
    x0, y0, x1, y1 = (int(side) for side in box)
    inside = int(mask.full()[y0:y1, x0:x1].sum())
    if inside < MIN_SHARE_IN_BOX * mask.area:
        return f"only {inside / mask.area:.0%} of the mask is in its box"
    filled = inside / ((x1 - x0) * (y1 - y0))
    return None if FILL[0] <= filled <= FILL[1] else f"the mask covers {filled:.0%} of its box"
