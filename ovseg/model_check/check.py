"""Run a model on the photo, step by step, and judge its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from ovseg.model_check import answers, plausibility, questions
from ovseg.model_check.answers import Answers, KnownMask
from ovseg.model_check.row import Row, finite
from ovseg_core import rle
from ovseg_core.embedding import Embedding
from ovseg_core.family import EVERYTHING
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

MIN_IOU_AGAIN = 0.99  # between answers of two runs; GPUs may add numbers in another order each time
MIN_OBJECTS = 1  # of three: everything mode may prefer the parts of an object


class Check:
    """The check of one loaded model. `rows` runs it; `answers` are then the model's masks.

    Args:
        segmenter: the model.
        photo: (H, W, 3) uint8, RGB.
        known: known good answers of the model, or None. Without them only the plausibility of masks is checked.
        of_sam_lite: SAM-Lite's answers.
    """

    def __init__(self, segmenter: Segmenter, photo: np.ndarray, known: Answers | None, of_sam_lite: Answers) -> None:
        self.segmenter = segmenter
        self.photo = photo
        self.known = known
        self.of_sam_lite = of_sam_lite
        self.found: list[tuple[Prompt, list[Mask]]] = []  # each prompt, its best mask, its other masks

    @property
    def ran_on(self) -> str:
        """The engine and the precision."""
        return f"{self.segmenter.engine}, {self.segmenter.precision}"

    def rows(self) -> Iterator[Row]:
        """Yield each step when it has been run."""
        spec = self.segmenter.spec
        started = time.perf_counter()
        embedding = self.segmenter.encode(self.photo)
        yield finite("encode", embedding.features, time.perf_counter() - started)
        for kind, prompts in questions.of_model(spec).items():
            started = time.perf_counter()
            masks = [[mask] for mask in self.segmenter.decode(embedding, prompts)]
            seconds = time.perf_counter() - started
            if kind == "point":  # which is ambiguous
                masks = [
                    [*best, *all_]
                    for best, all_ in zip(masks, self.segmenter.candidates(embedding, prompts), strict=True)
                ]
            pairs = list(zip(prompts, masks, strict=True))
            self.found += pairs
            yield self._judged(f"{kind} ({len(prompts)})", pairs, seconds)
        if EVERYTHING in spec.takes:
            yield self._everything(embedding)
        yield self._again()

    def answers(self, made_by: str, weights_sha256: str) -> Answers:
        """Return the best mask of each prompt, after `rows` was read to its end."""
        height, width = self.photo.shape[:2]
        best = {answers.key(prompt): masks[0] for prompt, masks in self.found}
        by_prompt = {key: KnownMask(mask.counts, mask.score) for key, mask in best.items()}
        return Answers(made_by, weights_sha256, (height, width), by_prompt)

    def compared(self, other: Answers) -> Row:
        """Compare the masks with those of another engine, after `rows` was read to its end."""
        return _agreement("other engine", self.found, 0, other, self.segmenter.precision)

    def _judged(self, step: str, pairs: Sequence[tuple[Prompt, list[Mask]]], seconds: float) -> Row:
        faults = (plausibility.fault(prompt, masks[0], self.of_sam_lite) for prompt, masks in pairs)
        if wrong := next(filter(None, faults), None):
            return Row(step, seconds, wrong, True)
        if self.known is None:
            return Row(step, seconds, "plausible")
        return _agreement(step, pairs, seconds, self.known, self.segmenter.precision)

    def _everything(self, embedding: Embedding) -> Row:
        """Run everything mode, and count how many of the objects in the boxes it finds."""
        started = time.perf_counter()
        *_, last = self.segmenter.everything(self.photo, embedding, **questions.EVERYTHING)
        seconds = time.perf_counter() - started
        found = [answer.mask.counts for answer in last.answers]
        wanted = [self.of_sam_lite.by_prompt[answers.key(prompt)].counts for prompt in questions.QUESTIONS["box"]]
        hw = self.of_sam_lite.image_hw
        count = sum(any(rle.iou(mask, object_, hw) >= plausibility.MIN_IOU for mask in found) for object_ in wanted)
        text = f"{len(found)} masks, {count} of {len(wanted)} known objects"
        return Row("everything", seconds, text, count < MIN_OBJECTS)

    def _again(self) -> Row:
        """Encode and decode everything again."""
        started = time.perf_counter()
        masks = self.segmenter.decode(self.segmenter.encode(self.photo), [prompt for prompt, _ in self.found])
        seconds = time.perf_counter() - started
        pairs = zip((masks[0] for _, masks in self.found), masks, strict=True)
        lowest = min(rle.iou(a.counts, b.counts, a.image_hw) for a, b in pairs)
        text = "the same masks" if lowest == 1 else f"IoU of {lowest:.3f} or more with the masks before"
        return Row("all again", seconds, text, lowest < MIN_IOU_AGAIN)


def _agreement(
    step: str, pairs: Sequence[tuple[Prompt, list[Mask]]], seconds: float, known: Answers, precision: str
) -> Row:
    """Compare masks with known answers to the same prompts. The bounds depend on the precision of the masks."""
    compared = [pair for prompt, masks in pairs if (pair := known.agreement(prompt, masks)) is not None]
    if not compared:
        return Row(step, seconds, "plausible; there is no known answer")
    iou, change = min(iou for iou, _ in compared), max(change for _, change in compared)
    min_iou, max_change = answers.EXACT if precision == "float32" else answers.ROUNDED
    is_wrong = iou < min_iou or change > max_change
    bounds = f" (required: {min_iou} or more, and {max_change} or less)" * is_wrong
    return Row(step, seconds, f"lowest IoU {iou:.3f}, largest change of predicted IoU {change:.3f}{bounds}", is_wrong)
