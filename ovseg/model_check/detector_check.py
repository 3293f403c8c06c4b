"""Search phrases in the photo with a detector, step by step, and judge the boxes that it finds.

The bounds are wide: a good detector passes, and random or damaged weights do not, whose boxes are anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ovseg.model_check import answers
from ovseg.model_check.box_answers import Box, BoxAnswers, KnownBox, iou
from ovseg.model_check.row import Row, finite
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.options import MAX_OBJECTS, DetectionOptions

# The objects of the photo that have names and clear outlines; and names of what is not in it.
PRESENT: Mapping[str, Box] = {
    "woman": (20, 14, 364, 512),
    "helmet": (278, 345, 508, 512),
    "flag": (0, 0, 97, 512),
    "space shuttle": (355, 0, 472, 290),
}
ABSENT = ("giraffe", "bicycle")
ALONE = "helmet"  # searched in a list of its own, too

ANY_SCORE = DetectionOptions(box_threshold=0, text_threshold=0, max_objects=MAX_OBJECTS)
MIN_SCORE = 0.3  # the default of `box_threshold`
MIN_IOU = 0.5  # with the place of the object
MIN_OBJECTS = 3  # of the four: a detector may not recognize the model of a shuttle
MIN_IOU_AGAIN = 0.99  # between boxes of two runs; GPUs may add numbers in another order each time


class DetectorCheck:
    """The check of one loaded detector. `rows` runs it; `answers` are then its boxes.

    Args:
        detector: the detector.
        engine: what it runs on.
        precision: of its image encoder.
        photo: (H, W, 3) uint8, RGB.
        known: known good answers of the detector, or None. Without them only the places of objects are checked.
    """

    def __init__(
        self, detector: Detector, engine: str, precision: str, photo: np.ndarray, known: BoxAnswers | None
    ) -> None:
        self.ran_on = f"{engine}, {precision}"
        self._bounds = answers.EXACT if precision == "float32" else answers.ROUNDED
        self._detector, self._photo, self._known = detector, photo, known
        self._found: dict[str, KnownBox] = {}

    def rows(self) -> Iterator[Row]:
        """Yield each step when it has been run."""
        started = time.perf_counter()
        encoded = self._detector.encode(self._photo)
        yield finite("encode", [encoded.features], time.perf_counter() - started)
        phrases, started = [*PRESENT, *ABSENT], time.perf_counter()
        self._found = self._best(encoded, phrases)
        seconds = time.perf_counter() - started
        yield self._objects(f"phrases ({len(phrases)})", seconds)
        for phrase in phrases:
            yield self._shown(phrase)
        started = time.perf_counter()
        alone = self._best(encoded, [ALONE])
        yield _alone(alone.get(ALONE), self._found.get(ALONE), time.perf_counter() - started)
        if self._known is not None:
            yield self.compared(self._known, "known answers")
        yield self._again()

    def answers(self, made_by: str, weights_sha256: str) -> BoxAnswers:
        """Return the best box of each phrase, after `rows` was read to its end."""
        return BoxAnswers(made_by, weights_sha256, self._found)

    def compared(self, other: BoxAnswers, step: str = "other engine") -> Row:
        """Compare the boxes of the objects in the photo with others, after `rows` was read to its end."""
        min_iou, max_change = self._bounds
        pairs = [(self._found.get(phrase), other.by_phrase.get(phrase)) for phrase in PRESENT]
        known = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
        if not known:
            return Row(step, 0, "there is no answer to compare with", True)
        lowest = min(iou(ours.box_xyxy, theirs.box_xyxy) for ours, theirs in known)
        change = max(abs(ours.score - theirs.score) for ours, theirs in known)
        is_wrong = lowest < min_iou or change > max_change
        bounds = f" (required: {min_iou} or more, and {max_change} or less)" * is_wrong
        return Row(step, 0, f"lowest IoU {lowest:.3f}, largest change of score {change:.3f}{bounds}", is_wrong)

    def _best(self, encoded: object, phrases: Sequence[str]) -> dict[str, KnownBox]:
        """Return the best box of each phrase, with any score."""
        found = self._detector.detect(encoded, phrases, ANY_SCORE)  # type: ignore[arg-type]  # what its `encode` returned
        best: dict[str, KnownBox] = {}
        for box, score, i in zip(found.boxes_xyxy.tolist(), found.scores.tolist(), found.phrases.tolist(), strict=True):
            best.setdefault(phrases[i], KnownBox(tuple(box), score))  # the highest scores come first
        return best

    def _objects(self, step: str, seconds: float) -> Row:
        """Return a row: wrong if too few objects are found, or if the names of all absent objects score as high."""
        right = [phrase for phrase in PRESENT if _fault(phrase, self._found.get(phrase)) is None]
        text = f"{len(right)} of {len(PRESENT)} objects in their places"
        if len(right) < MIN_OBJECTS:
            return Row(step, seconds, f"{text} (required: {MIN_OBJECTS})", True)
        lowest = min(self._found[phrase].score for phrase in right)
        false = [phrase for phrase in ABSENT if phrase in self._found and self._found[phrase].score >= lowest]
        if len(false) == len(ABSENT):
            text = f"{' and '.join(false)}, which are not there, score as high as what is there"
            return Row(step, seconds, text, True)
        return Row(step, seconds, text)

    def _shown(self, phrase: str) -> Row:
        """Return the row that shows the best box of a phrase. A single wrong box is no failure."""
        best = self._found.get(phrase)
        if best is None:
            return Row(f"  {phrase}", 0, "no box")
        box = ", ".join(f"{side:.0f}" for side in best.box_xyxy)
        fault = _fault(phrase, best) if phrase in PRESENT else "not in the photo"
        return Row(f"  {phrase}", 0, f"score {best.score:.2f}, box {box}" + f"; {fault}" * bool(fault))

    def _again(self) -> Row:
        """Encode and search everything again."""
        started = time.perf_counter()
        found = self._best(self._detector.encode(self._photo), [*PRESENT, *ABSENT])
        seconds = time.perf_counter() - started
        if not found or found.keys() != self._found.keys():
            return Row("all again", seconds, "the phrases that have boxes are not those of the first run", True)
        lowest = min(iou(best.box_xyxy, self._found[phrase].box_xyxy) for phrase, best in found.items())
        text = "the same boxes" if lowest == 1 else f"IoU of {lowest:.3f} or more with the boxes before"
        return Row("all again", seconds, text, lowest < MIN_IOU_AGAIN)


def _fault(phrase: str, best: KnownBox | None) -> str | None:
    """Return why the best box of an object's name is wrong, or None."""
    if best is None:
        return "no box"
    if not best.score > MIN_SCORE:
        return f"a score above {MIN_SCORE} is expected"
    overlap = iou(best.box_xyxy, PRESENT[phrase])
    return None if overlap >= MIN_IOU else f"the IoU with the object's place is {overlap:.2f}, less than {MIN_IOU}"


def _alone(alone: KnownBox | None, together: KnownBox | None, seconds: float) -> Row:
    """Return a row: wrong if a phrase that is searched alone has another box than among others."""
    step = f"{ALONE} alone"
    if alone is None or together is None:
        return Row(step, seconds, "no box", True)
    overlap = iou(alone.box_xyxy, together.box_xyxy)
    text = f"score {alone.score:.2f}, IoU of {overlap:.2f} with its box among the others"
    return Row(step, seconds, text, overlap < MIN_IOU)
