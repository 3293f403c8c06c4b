"""`zero-shot-object-detection`: the boxes of labels, with the scores that transformers' pipeline computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import detections, text, tokenizer
from ovseg_core.grounding_dino.detector import Detector, EncodedImage
from ovseg_core.grounding_dino.text import MAX_TOKENS, Text
from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Picture, Task


@dataclass(frozen=True)
class ZeroShotObjectDetection(Task):
    """Each label is searched alone, as transformers does. The image is encoded once for all labels.

    Args:
        candidate_labels: a list of labels, or a string of labels that is split at commas.
        threshold: boxes whose score is not above this are dropped, 0 to 1.
        top_k: maximum number of boxes; None is all.
    """

    name: ClassVar[str] = "zero-shot-object-detection"
    second: ClassVar[str | None] = "candidate_labels"
    is_detection: ClassVar[bool] = True

    candidate_labels: str | list[str] | None = None
    threshold: float = 0.1
    top_k: int | None = None

    def answer(self, loaded: Loaded, picture: Picture) -> list[dict[str, Any]]:
        """Return a dict for each box, the highest score first.

        Returns:
            `score`, that of the best token, 0 to 1; `label`; `box`, {"xmin", "ymin", "xmax", "ymax"} in whole pixels,
            which may extend beyond the image.
        """
        texts = [(label, _text(label, f"candidate_labels[{i}]")) for i, label in enumerate(labels(self))]
        image = loaded.detector.encode(picture.pixels)
        found = [row for label, asked in texts for row in self._boxes(loaded.detector, image, label, asked)]
        found.sort(key=lambda row: -row["score"])
        return found[: self.top_k] if self.top_k else found

    def _boxes(self, detector: Detector, image: EncodedImage, label: str, asked: Text) -> list[dict[str, Any]]:
        boxes, logits = detector.answer(image, detector.encode_text(asked))
        scores = text.sigmoid(logits[:, asked.mask == 0].max(axis=1))
        edges = detections.in_pixels(detections.corners(boxes), image.image_hw).astype(int)
        names = ("xmin", "ymin", "xmax", "ymax")
        return [
            {
                "score": float(scores[i]),
                "label": label,
                "box": dict(zip(names, edges[i].tolist(), strict=True)),
            }
            for i in np.flatnonzero(scores > self.threshold)
        ]


def labels(task: Any) -> list[str]:
    """Return the labels of a task that has `candidate_labels`. Raises ValueError if they are not strings."""
    given = task.candidate_labels
    if isinstance(given, str):
        given = [label.strip() for label in given.split(",")]
    if not isinstance(given, list | tuple) or not given or not all(isinstance(label, str) for label in given):
        raise ValueError(f"{task.name} needs candidate_labels: a list of strings, or a string with commas between them")
    return list(given)


def _text(label: str, where: str) -> Text:
    """Return the text of a label as transformers writes it: without a full stop at its end, if the label has none.

    Raises OvsegError `phrase_empty` or `phrase_too_long`.
    """
    tokens = tokenizer.bert().encode(label, add_special_tokens=False).ids
    if tokenizer.DELIMITERS.issuperset(tokens):
        raise OvsegError("phrase_empty", f"{where}: a label needs a word", where)
    if len(tokens) > MAX_TOKENS - 2:
        message = f"{where}: the label has {len(tokens)} tokens; it may have at most {MAX_TOKENS - 2}"
        raise OvsegError("phrase_too_long", message, where)
    return text.of_tokens((tokenizer.BEGIN, *tokens, tokenizer.END))
