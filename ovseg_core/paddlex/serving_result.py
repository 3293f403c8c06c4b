"""Results in the format of PaddleX's service for `open_vocabulary_segmentation`, with a few more fields."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ovseg_core import outputs
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt


def of(masks: Sequence[Mask], prompts: Sequence[Prompt], wanted: Collection[str] = ("rle",)) -> dict[str, Any]:
    """Return PaddleX's `result`: `maskInfos`, and the entries of the `wanted` outputs. Each is a list with one value
    per prompt.

    `maskInfos[i]` has PaddleX's `label` and `prompt`; in addition `score` (predicted IoU, 0 to 1, or null), `box` (the
    mask's bounding box [x0, y0, x1, y1]) and `area`, both in pixels. `masks[i]` is the value of `rle`. `polygons[i]`
    lists the parts of mask i with their holes.
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
    """Return a mask as PaddleX's {"rleResult": counts, "size": [H, W]}: COCO's compressed RLE, for pycocotools."""
    return {"rleResult": mask.counts, "size": list(mask.image_hw)}


def label(prompt: Prompt) -> dict[str, Any]:
    """Return PaddleX's `label` and `prompt` for a mask. A prompt that PaddleX does not support is an object."""
    if prompt.box is not None and not prompt.points:
        return {"label": "box_prompt", "prompt": list(prompt.box)}
    if prompt.box is None and prompt.labels == (1,):
        return {"label": "point_prompt", "prompt": list(prompt.points[0])}
    return {"label": "mixed_prompt" if prompt.box else "points_prompt", "prompt": prompt.to_dict()}
