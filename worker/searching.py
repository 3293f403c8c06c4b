"""Finds the boxes of a job's phrases with its detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ovseg_core import text_prompt
from ovseg_core.errors import OvsegError
from ovseg_core.found_box import FoundBox
from ovseg_core.outputs import Detection
from ovseg_core.paddlex import detection_prompt
from ovseg_core.paddlex.thresholds import Thresholds
from ovseg_core.prompts import Prompt
from ovseg_core.text_prompt import TextPrompt
from worker.inference.embeddings import Found
from worker.inference.urgency import Urgency
from worker.running_job import RunningJob

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detections import Searched
    from ovseg_core.grounding_dino.detector import EncodedImage


class PlacedBox(NamedTuple):
    """A box that was found, the prompt of that box, and the position of the text prompt in the request."""

    position: int
    found: FoundBox
    prompt: Prompt


def boxes(running: RunningJob) -> tuple[list[PlacedBox], int]:
    """Return the boxes of the job's text prompts, and how many are left out because a result has a maximum of masks.

    The boxes of a prompt are in the order of their scores. Those with the highest scores of all prompts are kept.

    Raises OvsegError `phrase_unreadable` or `phrase_too_long`; its `field` is that of the phrase in the request.
    """
    request, services = running.request, running.services
    if request.texts is None:
        return [], 0
    features = _features(running).embedding
    options = request.detection_options
    prompts = {
        text.position: TextPrompt(text.phrases, options, text.box).within(features.image_hw) for text in request.texts
    }
    phrases = text_prompt.distinct(list(prompts.values()))
    report = partial(_report, running, prompts, phrases)
    running.progress.enter("detecting")
    try:
        several, running.timings.ms["detect"] = services.detectors.search(
            str(request.detector), features, phrases, Urgency.of(request), running.progress.check, report
        )
    except OvsegError as error:
        raise error.at(_field(running, phrases, str(error.field))) from None
    found = [
        PlacedBox(position, each, Prompt(box=each.box))
        for position, prompt in prompts.items()
        for each in text_prompt.best(several, prompt, phrases)
    ]
    kept = _best(found, max(0, services.settings.max_prompts - len(request.prompts)))
    return kept, len(found) - len(kept)


def detected(running: RunningJob) -> tuple[Detection, Found[EncodedImage]]:
    """Return what PaddleX's detection finds for the job's `detect`, and the features of the image."""
    request, services = running.request, running.services
    prompt = detection_prompt.Prompt.of(str(request.detect))
    features = _features(running)
    running.progress.enter("detecting")
    running.progress.check()
    (centres, logits), running.timings.ms["detect"] = services.detectors.answer(
        str(request.detector), features.embedding, prompt.text, Urgency.of(request)
    )
    image_hw = features.embedding.image_hw
    limits = Thresholds().changed(request.detection)
    objects = detection_prompt.boxes(prompt, logits, centres, image_hw, limits)
    return Detection(image_hw, running.image.picture, objects), features


def _features(running: RunningJob) -> Found[EncodedImage]:
    request = running.request
    found = running.services.features.of(
        str(request.detector),
        running.sha256,
        running.picture_to_encode,
        urgency=Urgency.of(request),
        check=running.progress.check,
        waiting=running.waiting,
    )
    running.timings.ms["detect_encode"] = found.milliseconds
    return found


def _report(
    running: RunningJob,
    prompts: Mapping[int, TextPrompt],
    phrases: tuple[str, ...],
    several: Sequence[Searched],
    passes: int,
) -> None:
    """Report how many parts are done, of the image and the passes of the phrases, and the boxes that were found."""
    progress = running.progress
    progress.count(1 + len(several), 1 + passes)
    if not (several and progress.wants_partial):
        return
    searched = {phrases[i] for each in several for i in each.phrases}
    found = sorted(
        (
            (position, box)
            for position, prompt in prompts.items()
            if searched.intersection(prompt.phrases)
            for box in text_prompt.best(several, prompt, phrases)
        ),
        key=lambda row: -row[1].score,
    )
    progress.send_partial(lambda count: {"boxes": [_shown(*row) for row in found[:count]]}, len(found))


def _shown(position: int, box: FoundBox) -> dict[str, Any]:
    """Return a box as `maskInfos` of the result has it, as far as it is known."""
    return {
        "prompt_index": position,
        "phrase_index": box.phrase_index,
        "coordinate": box.box,
        "detection_score": box.score,
    }


def _field(running: RunningJob, phrases: tuple[str, ...], field: str) -> str:
    """Return the field of a phrase in the request for `phrases[i]` of the list that was searched."""
    index = field.removeprefix("phrases[").removesuffix("]")
    for text in running.request.texts or ():
        if index.isdecimal() and (phrase := phrases[int(index)]) in text.phrases:
            return f"prompts[{text.position}].{text.field_of(text.phrases.index(phrase))}"
    return field


def _best(found: list[PlacedBox], max_count: int) -> list[PlacedBox]:
    """Return the boxes with the highest scores, in their order."""
    best = sorted(range(len(found)), key=lambda i: -found[i].found.score)[:max_count]
    return [found[i] for i in sorted(best)]
