"""Results in the format of PaddleX's service for `open_vocabulary_segmentation`, with a few more fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ovseg_core import outputs
from ovseg_core.answer import Answer
from ovseg_core.mask import Mask
from ovseg_core.paddlex import prompting


def of(
    answers: Sequence[Answer],
    wanted: Collection[str] = ("rle",),
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return PaddleX's `result`: `maskInfos`, and the entries of the `wanted` outputs. Each is a list with one value
    per mask.

    `maskInfos[i]` has PaddleX's `label` and `prompt`; in addition `score` (predicted IoU, 0 to 1, or null), `box` (the
    mask's bounding box [x0, y0, x1, y1]) and `area`, both in pixels, `prompt_index` (the position of the prompt in the
    request), and `stability_score` (0 to 1) if it was computed. `masks[i]` is the value of `rle`. `polygons[i]` lists
    the parts of mask i with their holes. `options` has keyword arguments for the makers of outputs, by their names.
    """
    masks = [answer.mask for answer in answers]
    entries = {
        entry.key: [entry.make(mask, **options.get(entry.name, {})) for mask in masks]
        for entry in outputs.entries(wanted)
    }
    return {"maskInfos": [_info(answer) for answer in answers], **entries}


def _info(answer: Answer) -> dict[str, Any]:
    mask, stability = answer.mask, answer.stability_score
    return {
        **label(answer),
        "score": mask.score,
        "box": list(mask.box_xyxy),
        "area": mask.area,
        "prompt_index": answer.prompt_index,
        **({} if stability is None else {"stability_score": round(stability, 4)}),
    }


def rle(mask: Mask) -> dict[str, Any]:
    """Return a mask as PaddleX's {"rleResult": counts, "size": [H, W]}: COCO's compressed RLE, for pycocotools."""
    return {"rleResult": mask.counts, "size": list(mask.image_hw)}


def label(answer: Answer) -> dict[str, Any]:
    """Return PaddleX's `label` and `prompt` for a mask. A prompt that PaddleX does not support is an object.

    In everything mode, which PaddleX lacks, `prompt` is the point [x, y] that found the mask. For a text prompt, which
    PaddleX lacks too, it is the caller's phrase; `phrase_index` is its position in its prompt, `coordinate` the box of
    the detector and `detection_score` the score of that box, 0 to 1.
    """
    prompt, found = answer.prompt, answer.found
    if found is not None:
        return {
            "label": prompting.TEXT,
            "prompt": found.phrase,
            "phrase_index": found.phrase_index,
            "coordinate": list(found.box),
            "detection_score": found.score,
        }
    if answer.is_of_everything:
        return {"label": prompting.EVERYTHING, "prompt": list(prompt.points[0])}
    if prompt.kind == "box":
        shown: Any = list(prompt.box or ())
    else:
        shown = list(prompt.points[0]) if prompt.kind == "point" else prompt.to_dict()
    return {"label": f"{prompt.kind}_prompt", "prompt": shown}
