"""`image-segmentation`: labelled masks, of phrases or of everything in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.mask_generation import MaskGeneration
from ovseg_core.hugging_face.promptable_segmentation import picture_of
from ovseg_core.hugging_face.task import Picture, Task
from ovseg_core.hugging_face.zero_shot_object_detection import labels
from ovseg_core.prompts import Prompt
from ovseg_core.text_prompt import TextPrompt, found

SUBTASKS = ("instance", "panoptic", "semantic")
OBJECT = "object"  # the label of a mask for which no label was searched


class Segment(NamedTuple):
    """A mask (H, W) bool with its label and score."""

    score: float
    label: str
    mask: np.ndarray


@dataclass(frozen=True)
class ImageSegmentation(Task):
    """With labels, a detector finds their boxes and the model segments them. Without labels, the masks are those of
    `mask-generation`, with the label "object".

    Args:
        candidate_labels: a list of labels, or a string of labels that is split at commas. None is everything.
            transformers lacks it, because its models for this task have fixed labels.
        subtask: "instance" returns all masks, which may overlap. "panoptic" gives each pixel to the mask with the
            highest score. "semantic" returns one mask for each label. None is "instance".
        threshold: masks whose score is not above this are dropped, 0 to 1. None is the default of the detector or of
            the model.
        overlap_mask_area_threshold: with "panoptic", a mask is dropped if it keeps less than this share of its pixels.
        points_per_crop: as in `mask-generation`, for everything.
    """

    name: ClassVar[str] = "image-segmentation"

    candidate_labels: str | list[str] | None = None
    subtask: str | None = None
    threshold: float | None = None
    overlap_mask_area_threshold: float = 0.5
    points_per_crop: int | None = None

    def answer(self, loaded: Loaded, picture: Picture) -> list[dict[str, Any]]:
        """Return a dict for each mask, the highest score first.

        Returns:
            `score`, 0 to 1: that of the box, or without labels the predicted IoU of the mask; None with "semantic".
            `label`. `mask`, a picture in mode "L", 255 on the object and 0 elsewhere.
        """
        if self.subtask is not None and self.subtask not in SUBTASKS:
            raise ValueError(f"subtask must be one of {', '.join(SUBTASKS)}, not {self.subtask!r}")
        segments = self._everything(loaded, picture) if self.candidate_labels is None else self._of(loaded, picture)
        if self.subtask == "semantic":
            return _by_label(segments)
        if self.subtask == "panoptic":
            segments = _without_overlaps(segments, self.overlap_mask_area_threshold)
        return [_row(*segment) for segment in segments]

    def _of(self, loaded: Loaded, picture: Picture) -> list[Segment]:
        options = DetectionOptions() if self.threshold is None else DetectionOptions(box_threshold=self.threshold)
        boxes = found(loaded.detector, picture.pixels, TextPrompt(tuple(labels(self)), options))
        assert picture.embedding is not None
        masks = loaded.segmenter.decode(picture.embedding, [Prompt(box=box.box) for box in boxes])
        return [Segment(box.score, box.phrase, mask.full()) for box, mask in zip(boxes, masks, strict=True)]

    def _everything(self, loaded: Loaded, picture: Picture) -> list[Segment]:
        generation = MaskGeneration(points_per_crop=self.points_per_crop, pred_iou_thresh=self.threshold)
        proposals = generation.found(loaded, picture)
        return [Segment(proposal.predicted_iou, OBJECT, proposal.mask.full()) for proposal in proposals]


def _by_label(segments: list[Segment]) -> list[dict[str, Any]]:
    masks: dict[str, np.ndarray] = {}
    for segment in segments:
        masks[segment.label] = masks.get(segment.label, np.False_) | segment.mask
    return [_row(None, label, mask) for label, mask in masks.items()]


def _without_overlaps(segments: list[Segment], min_share: float) -> list[Segment]:
    """Give each pixel to the first mask that has it, and drop masks that keep less than a share of their pixels."""
    kept: list[Segment] = []
    for segment in segments:
        mask = segment.mask.copy()
        for other in kept:
            mask &= ~other.mask
        if mask.any() and mask.sum() >= min_share * segment.mask.sum():
            kept.append(segment._replace(mask=mask))
    return kept


def _row(score: float | None, label: str, mask: np.ndarray) -> dict[str, Any]:
    return {"score": score, "label": label, "mask": picture_of(mask)}
