"""`promptable-segmentation`, a task that transformers lacks: the masks of boxes, points, earlier masks and phrases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ovseg_core import answer, prompts
from ovseg_core.found_box import FoundBox
from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Picture, Task
from ovseg_core.mask import Mask
from ovseg_core.paddlex import plain, prompting, text_prompt
from ovseg_core.paddlex.text_prompt import OPTIONS
from ovseg_core.prompts import Prompt
from ovseg_core.text_prompt import found

GEOMETRY = {"boxes": "box", "points": "points", "labels": "labels", "masks": "mask"}  # to the keys of a mixed prompt


@dataclass(frozen=True)
class PromptableSegmentation(Task):
    """Boxes, points, labels and masks are about the same objects: the first box, points and mask are of the first
    object. Coordinates are pixels of the image.

    Args:
        boxes: [[x0, y0, x1, y1], ...], one for each object.
        points: [[x, y], ...], one for each object; or [[[x, y], ...], ...], several for each object.
        labels: 1 if a point is on the object, 0 if it is not; in the form of `points`, without the coordinates.
        masks: earlier masks of the objects, in any form of `MaskPrompt.of`.
        prompts: instead of these, [{"box": ..., "points": ..., "labels": ..., "mask": ...}, ...]. Each prompt has one
            or several of the keys.
        text: instead of these, phrases that a detector searches for: a list, or a string that is split at full stops.
        multimask_output: True returns all masks that the model has for each prompt.
        box_threshold, text_threshold, max_objects, nms_threshold, class_agnostic_nms: for text, see `DetectionOptions`.
    """

    name: ClassVar[str] = "promptable-segmentation"

    boxes: Any = None
    points: Any = None
    labels: Any = None
    masks: Any = None
    prompts: Any = None
    text: Any = None
    multimask_output: bool = False
    box_threshold: float | None = None
    text_threshold: float | None = None
    max_objects: int | None = None
    nms_threshold: float | None = None
    class_agnostic_nms: bool | None = None

    def answer(self, loaded: Loaded, picture: Picture) -> list[dict[str, Any]]:
        """Return a dict for each mask, in the order of the prompts.

        Returns:
            `score`, the predicted IoU, 0 to 1, or None if the model predicts none; `label`, the phrase, or "box",
            "point", "points", "mixed" or "mask"; `mask`, a picture in mode "L", 255 on the object and 0 elsewhere;
            `box`, {"xmin", "ymin", "xmax", "ymax"} around the mask in pixels; `prompt_index`, the position of the
            prompt or phrase. For text also `box_score`, the score of the box that was found. Its boxes are in the order
            of their scores.
        """
        boxes = self._found(loaded, picture) if self.text is not None else None
        asked = self._prompts() if boxes is None else [Prompt(box=box.box) for box in boxes]
        assert picture.embedding is not None
        prompts.check_within(asked, picture.embedding.frame.image_hw)
        if self.multimask_output:
            masks = loaded.segmenter.candidates(picture.embedding, asked)
        else:
            masks = [[mask] for mask in loaded.segmenter.decode(picture.embedding, asked)]
        rows = answer.of(asked, masks)
        return [_row(row.mask, *_origin(row.prompt, row.prompt_index, boxes)) for row in rows]

    def _found(self, loaded: Loaded, picture: Picture) -> list[FoundBox]:
        if any(getattr(self, name) is not None for name in (*GEOMETRY, "prompts")):
            raise ValueError("text cannot be combined with boxes, points, masks or prompts in one call")
        options = {name: getattr(self, name) for name in OPTIONS if getattr(self, name) is not None}
        return found(loaded.detector, picture.pixels, text_prompt.of({"phrases": self.text, **options}, "text"))

    def _prompts(self) -> list[Prompt]:
        given = {name: value for name in GEOMETRY if (value := getattr(self, name)) is not None}
        if self.prompts is not None:
            if given:
                raise ValueError(f"give prompts or {', '.join(given)}, not both")
            return list(prompting.parsed("mixed_prompt", plain.of(self.prompts), "prompts"))
        if not given:
            raise ValueError(f"give {', '.join(GEOMETRY)}, prompts or text: {self.name} needs to know what to segment")
        return list(prompting.parsed("mixed_prompt", _rows(given), "prompts"))


def _rows(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each object. Raises ValueError if there are not as many of one kind as of another."""
    columns = {name: plain.rows(_listed(name, value), name) for name, value in given.items()}
    counts = {name: len(rows) for name, rows in columns.items()}
    if len(set(counts.values())) > 1:
        shown = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise ValueError(f"give the same number of each, one for each object, not {shown}; or use prompts")
    objects = zip(*columns.values(), strict=True)
    return [{GEOMETRY[name]: _several(name, row) for name, row in zip(columns, one, strict=True)} for one in objects]


def _listed(name: str, value: Any) -> Any:
    """Return plain lists and numbers; masks stay arrays, because lists of their pixels would be large."""
    return list(value) if name == "masks" and isinstance(value, list | tuple | np.ndarray) else plain.of(value)


def _several(name: str, row: Any) -> Any:
    """Return the points or labels of an object as a list, also if there is only one point or label."""
    if name == "points" and isinstance(row, list) and row and not isinstance(row[0], list):
        return [row]
    if name == "labels" and not isinstance(row, list):
        return [row]
    if name == "masks":
        row = np.asarray(row) > 0 if isinstance(row, Image.Image) else row  # a mask of an earlier result
        return plain.of({"mask": row})["mask"]
    return row


def _origin(prompt: Prompt, index: int, boxes: list[FoundBox] | None) -> tuple[str, dict[str, Any]]:
    """Return the label of a mask, and where it comes from."""
    if boxes is None:
        return prompt.kind, {"prompt_index": index}
    box = boxes[index]
    return box.phrase, {"prompt_index": box.phrase_index, "box_score": box.score}


def _row(mask: Mask, label: str, places: dict[str, Any]) -> dict[str, Any]:
    edges = dict(zip(("xmin", "ymin", "xmax", "ymax"), mask.box_xyxy, strict=True))
    return {"score": mask.score, "label": label, "mask": picture_of(mask.full()), "box": edges, **places}


def picture_of(mask: np.ndarray) -> Image.Image:
    """Return a mask (H, W) bool as a picture in mode "L", 255 on the object and 0 elsewhere."""
    return Image.fromarray(mask.astype(np.uint8) * 255)
