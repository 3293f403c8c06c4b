"""Results as PaddleX's service answers them (its `open_vocabulary_segmentation` pipeline), with a few more fields."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ovseg_core import outputs
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt

SUCCESS = {"errorCode": 0, "errorMsg": "Success"}


def of(masks: Sequence[Mask], prompts: Sequence[Prompt], wanted: Collection[str] = ("rle",)) -> dict[str, Any]:
    """What PaddleX calls `result`: `maskInfos`, and the entries of the outputs that are `wanted`; each is a list with
    one value for each prompt.

    `maskInfos[i]` has PaddleX's `label` and `prompt`, and beyond it `score` (predicted IoU or null), `box` (tight
    [x0, y0, x1, y1]) and `area`, in pixels. `masks[i]` is as `rle` makes it. `polygons[i]` lists the parts of mask i
    with their holes.
    """
    infos = [
        {
            **label(prompt),
            "score": mask.score,
            "box": list(mask.box_xyxy),
            "area": mask.area,
        }
        for mask, prompt in zip(masks, prompts, strict=True)
    ]
    return {"maskInfos": infos, **{entry.key: list(map(entry.make, masks)) for entry in outputs.entries(wanted)}}


def rle(mask: Mask) -> dict[str, Any]:
    """PaddleX's {"rleResult": counts, "size": [H, W]}: COCO's compressed RLE, which pycocotools decodes."""
    return {"rleResult": mask.counts, "size": list(mask.image_hw)}


def label(prompt: Prompt) -> dict[str, Any]:
    """PaddleX's `label` and `prompt` of a mask; for prompts that PaddleX does not know, the prompt as an object."""
    if prompt.box is not None and not prompt.points:
        return {"label": "box_prompt", "prompt": list(prompt.box)}
    if prompt.box is None and prompt.labels == (1,):
        return {"label": "point_prompt", "prompt": list(prompt.points[0])}
    return {"label": "mixed_prompt" if prompt.box else "points_prompt", "prompt": prompt.to_dict()}
