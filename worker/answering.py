"""Makes the masks of a job: the answers to its prompts, or all masks of everything mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from redis import RedisError

from ovseg_core import answer
from ovseg_core.answer import Answer
from ovseg_core.embedding import Embedding
from worker.inference.embeddings import CHECK_EVERY_SECONDS
from worker.inference.urgency import Urgency
from worker.job.record import Job
from worker.worker_services import WorkerServices

REPORT_EVERY_SECONDS = 1.0  # a person who watches the progress needs no more, and each report is a call to Redis


def answers(
    job: Job,
    embedding: Embedding,
    picture: Callable[[], np.ndarray],
    services: WorkerServices,
    check: Callable[[], None],
) -> tuple[list[Answer], int, float]:
    """Return the answers, the number of masks that were dropped, and the milliseconds that the network took.

    Args:
        job: the job, which this worker is running.
        embedding: the embedding of its image.
        picture: reads the image (H, W, 3). It is called only if everything mode needs crops.
        services: the services of this worker.
        check: called several times a second in everything mode. It may raise an exception to stop the job.
    """
    prompts = job.request.prompts
    if job.request.everything is not None:
        return _everything(job, embedding, picture, services, check)
    masks, milliseconds = services.inference.decode(embedding, prompts, all_masks=job.request.multimask == "all")
    positions = job.request.positions
    found = [replace(each, prompt_index=positions[each.prompt_index]) for each in answer.of(prompts, masks)]
    return found, 0, milliseconds


def _everything(
    job: Job,
    embedding: Embedding,
    picture: Callable[[], np.ndarray],
    services: WorkerServices,
    check: Callable[[], None],
) -> tuple[list[Answer], int, float]:
    cost, options = job.request.cost, job.request.everything or {}
    found: list[Answer] = []
    milliseconds = 0.0
    progress = Progress(job, services, check)
    progress.report(0, cost.prompts)
    for step, taken in services.inference.everything(embedding, picture, options, Urgency.of(job.request)):
        progress.report(step.points_done, step.points_total)
        found, milliseconds = step.answers, taken
    kept = _most_likely(found, services.settings.max_everything_masks)
    return kept, len(found) - len(kept), milliseconds


class Progress:
    """What a job in everything mode does between two batches of clicks."""

    def __init__(self, job: Job, services: WorkerServices, check: Callable[[], None]) -> None:
        self._job, self._services, self._check = job, services, check
        self._check_at = self._report_at = 0.0

    def report(self, done: int, total: int) -> None:
        """Check whether the job may continue, and record how many of its clicks are done, unless it was done just now.

        Raises what `check` raises.
        """
        now = time.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_EVERY_SECONDS
            self._check()
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY_SECONDS
            with suppress(RedisError):  # the job can continue, and its heartbeat logs that Redis is unreachable
                self._services.jobs.report_progress(self._job, done, total)


def _most_likely(found: Sequence[Answer], max_count: int) -> list[Answer]:
    """Return the `max_count` answers with the highest predicted IoU times stability score, in their order."""
    if len(found) <= max_count:
        return list(found)
    best = sorted(range(len(found)), key=lambda i: -_likelihood(found[i]))[:max_count]
    return [found[i] for i in sorted(best)]


def _likelihood(answer: Answer) -> float:
    stability = 1.0 if answer.stability_score is None else answer.stability_score
    return (answer.mask.score or 0.0) * stability
