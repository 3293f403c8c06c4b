"""Makes the masks of a job: the answers to its prompts, or all masks of everything mode."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ovseg_core import answer
from ovseg_core.answer import Answer
from ovseg_core.embedding import Embedding
from ovseg_core.outputs import Segmentation
from ovseg_core.paddlex import serving_result
from worker import searching
from worker.inference.urgency import Urgency
from worker.job.request import JobRequest
from worker.running_job import RunningJob

MAX_PARTIAL_MASKS = 100  # in one event; the masks of a second of everything mode are fewer on most machines


def segmentation(running: RunningJob, embedding: Embedding) -> Segmentation:
    """Return the masks of a job. `embedding` is that of its image.

    The answers are in the order of the request's prompts; those of a text prompt in the order of the detector's scores.
    """
    if running.request.everything is not None:
        return _everything(running, embedding)
    request, services = running.request, running.services
    boxes, dropped = searching.boxes(running)
    running.progress.enter("decoding_masks")
    prompts = [*request.prompts, *(box.prompt for box in boxes)]
    masks, running.timings.ms["decode"] = services.inference.decode(
        embedding, prompts, all_masks=request.multimask == "all"
    )
    positions = [*request.positions, *(box.position for box in boxes)]
    found = [*(None for _ in request.prompts), *(box.found for box in boxes)]
    answers = [
        replace(each, prompt_index=positions[each.prompt_index], found=found[each.prompt_index])
        for each in answer.of(prompts, masks)
    ]
    in_order = sorted(answers, key=lambda each: each.prompt_index)
    names = [*_names(request), *(box.found.shown for box in boxes)]
    return Segmentation(embedding.frame.image_hw, running.image.picture, in_order, prompts, dropped, names)


def _names(request: JobRequest) -> list[str | None]:
    """Return for each of the request's prompts without a text the client's name for it, or None."""
    notes = request.notes
    return [None if notes is None else notes[i].name for i in request.positions]


def _everything(running: RunningJob, embedding: Embedding) -> Segmentation:
    request, services, picture = running.request, running.services, running.image.picture
    cost, options = request.cost, request.everything or {}
    found: list[Answer] = []
    progress, new = running.progress, deque[Answer](maxlen=MAX_PARTIAL_MASKS)
    progress.enter("decoding_masks")
    progress.count(0, cost.prompts)
    for step, taken in services.inference.everything(embedding, picture, options, Urgency.of(request)):
        progress.count(step.points_done, step.points_total)
        new.extend(proposal.answer for proposal in step.found)
        if progress.wants_partial and not step.is_last:
            progress.send_partial(partial(_partial, list(new)), len(new))
            new.clear()
        found, running.timings.ms["decode"] = step.answers, taken
    kept = _most_likely(found, services.settings.max_everything_masks)
    return Segmentation(embedding.frame.image_hw, picture, kept, (), len(found) - len(kept))


def _partial(answers: Sequence[Answer], count: int) -> dict[str, Any]:
    """Return the first masks that everything mode has found; the choice at the end drops some of them."""
    return serving_result.of(answers[:count])


def _most_likely(found: Sequence[Answer], max_count: int) -> list[Answer]:
    """Return the `max_count` answers with the highest predicted IoU times stability score, in their order."""
    if len(found) <= max_count:
        return list(found)
    best = sorted(range(len(found)), key=lambda i: -_likelihood(found[i]))[:max_count]
    return [found[i] for i in sorted(best)]


def _likelihood(answer: Answer) -> float:
    stability = 1.0 if answer.stability_score is None else answer.stability_score
    return (answer.mask.score or 0.0) * stability
