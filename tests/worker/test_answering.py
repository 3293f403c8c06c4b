"""A worker runs everything mode: the limit of masks, the progress, and the end of an attempt between two batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from configs.settings import Settings
from ovseg_core.embedding import Embedding
from ovseg_core.everything.crops import Crop
from ovseg_core.everything.proposals import Proposal
from ovseg_core.everything.search import Step
from ovseg_core.mask import Mask
from tests.chaos.box_inference import BoxInference
from tests.support import followed, pictures
from worker import progress, tasks
from worker.inference.urgency import Urgency
from worker.job import description, result_document
from worker.job.acceptance import new_id
from worker.job.jobs import Jobs
from worker.job.parsing import parse
from worker.job.record import Job
from worker.worker_services import WorkerServices

SCORES = (0.5, 0.9, 0.7, 0.8)
STEPS = 8
HW = (512, 512)  # of pictures.photo()


class Slow(BoxInference):
    """Finds four masks with different scores in eight steps. `before` is called before each step."""

    def __init__(self) -> None:
        super().__init__(encode_seconds=0)
        self.before: Callable[[int], None] = lambda step: None
        self.steps = 0
        self.urgencies: list[Urgency] = []

    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency = Urgency.NORMAL) -> tuple[Embedding, float]:
        self.urgencies.append(urgency)
        return super().encode(model, image_rgb, urgency)

    def everything(
        self,
        embedding: Embedding,
        picture: Callable[[], np.ndarray],
        options: Mapping[str, Any],
        urgency: Urgency = Urgency.NORMAL,
    ) -> Iterator[tuple[Step, float]]:
        self.urgencies.append(urgency)
        for self.steps in range(STEPS):
            self.before(self.steps)
            yield Step(self.steps * 10, STEPS * 10, proposals(SCORES[:1])), 5.0
        yield Step(STEPS * 10, STEPS * 10, chosen=proposals(SCORES)), 7.0


def proposals(scores: Sequence[float]) -> list[Proposal]:
    crop = Crop((0, 0, HW[1], HW[0]), HW, np.empty((0, 2)))
    squares = [Mask.of_crop(np.ones((i + 1, i + 1), bool), (i, i), HW, score) for i, score in enumerate(scores)]
    return [Proposal(square, (1.0, 1.0), square.score or 0.0, 0.97, crop) for square in squares]


@pytest.fixture
def services(s3_settings: Settings) -> Iterator[WorkerServices]:
    opened = WorkerServices(s3_settings.model_copy(update={"max_everything_masks": 2}), "cpu", Slow())
    yield opened
    opened.close()


def accept(services: WorkerServices, priority: str = "normal") -> str:
    body = {"prompts": "everything", "outputs": ["rle", "png"], "priority": priority}
    request, image = parse(body, pictures.photo(), services.settings)
    job_id = new_id()
    services.acceptance.accept(job_id, request, image)
    return job_id


def read(jobs: Jobs, job_id: str) -> Job:
    job = jobs.get(job_id)
    assert job is not None
    return job


def test_of_too_many_masks_the_most_likely_are_kept_and_the_result_has_the_number_of_the_others(
    services: WorkerServices,
) -> None:
    job_id = accept(services)
    tasks.segment(job_id, services)
    job = read(services.jobs, job_id)
    result = result_document.read_result(job, services.storage)
    assert [info["score"] for info in result["maskInfos"]] == [0.9, 0.8]
    assert result["masks_dropped"] == 2
    assert (job.mask_count, job.timings_ms["decode"]) == (2, 7.0)
    assert len(description.describe(job)["files"]["masks"]) == 2
    assert len(list(services.storage.list(f"{job.files_prefix}masks/"))) == 2


@pytest.mark.parametrize("priority", ["interactive", "normal", "bulk"])
def test_an_encoding_and_everything_mode_are_as_urgent_as_the_job_s_priority(
    services: WorkerServices, priority: str
) -> None:
    tasks.segment(accept(services, priority), services)
    assert isinstance(services.inference, Slow)
    assert services.inference.urgencies == [Urgency[priority.upper()]] * 2


def test_progress_is_written_at_most_once_a_second(services: WorkerServices, monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.REPORT_EVERY_SECONDS == 1
    monkeypatch.setattr(progress, "REPORT_EVERY_SECONDS", 600)  # all steps within that time, on any machine
    seen, job_id = [], accept(services)
    assert isinstance(services.inference, Slow)
    services.inference.before = lambda step: seen.append(read(services.jobs, job_id).progress)
    tasks.segment(job_id, services)
    first = {"done": 0, "total": read(services.jobs, job_id).request.cost.prompts}
    assert seen == [first] * STEPS
    assert read(services.jobs, job_id).progress is None
    monkeypatch.setattr(progress, "REPORT_EVERY_SECONDS", 0)
    seen.clear()
    job_id = accept(services)
    tasks.segment(job_id, services)
    assert [each["done"] for each in seen if each] == [0, *range(0, 70, 10)]


def test_a_job_that_is_followed_reports_its_stages_its_progress_and_the_masks_that_it_has(
    services: WorkerServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.progress.REPORT_EVERY_SECONDS", 0)
    job_id = accept(services)
    events = followed.events(services, job_id, lambda: tasks.segment(job_id, services))
    stages = [data["stage"] for kind, data in events if kind == "job.stage"]
    assert stages == ["fetching", "decoding_image", "encoding", "decoding_masks", "uploading"]
    assert [data["done"] for kind, data in events if kind == "job.progress"] == [0, *range(0, 90, 10)]
    partial = [data for kind, data in events if kind == "job.partial"]
    assert len(partial) == STEPS
    for each in partial:
        assert [info["score"] for info in each["maskInfos"]] == [SCORES[0]]
        assert each["masks"][0]["size"] == list(HW)
    statuses = [kind for kind, _ in events if kind not in ("job.stage", "job.progress", "job.partial")]
    assert statuses == ["job.started", "job.succeeded"]


def test_a_job_that_is_followed_from_its_middle_on_reports_the_stages_that_follow(
    services: WorkerServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "CHECK_EVERY_SECONDS", 600)  # a check in a slow step reports its stage
    job_id = accept(services)

    def follow(step: int) -> None:
        followed.events(services, job_id, lambda: None)

    assert isinstance(services.inference, Slow)
    services.inference.before = follow
    tasks.segment(job_id, services)
    feed = services.keyspace.redis.xrange(services.keyspace.key(f"feed:job:{job_id}"))
    assert [json.loads(row["data"])["stage"] for _, row in feed if row["type"] == "job.stage"] == ["uploading"]


@pytest.mark.parametrize(("status", "steps"), [("canceled", 3), ("failed", 3), ("running", 3)])
def test_an_attempt_that_may_not_continue_stops_between_two_batches_and_stores_nothing(
    services: WorkerServices, monkeypatch: pytest.MonkeyPatch, status: str, steps: int
) -> None:
    monkeypatch.setattr("worker.progress.CHECK_EVERY_SECONDS", 0)
    job_id = accept(services)
    record = services.keyspace.key(f"job:{job_id}")

    def interrupt(step: int) -> None:
        if step == steps and status == "canceled":
            services.jobs.cancel(job_id)
        elif step == steps and status == "failed":  # its deadline has passed
            services.keyspace.redis.hset(record, "run_by", 1)
        elif step == steps:  # another attempt holds it
            services.keyspace.redis.hset(record, "attempt", 2)

    assert isinstance(services.inference, Slow)
    services.inference.before = interrupt
    tasks.segment(job_id, services)
    assert services.inference.steps == steps
    job = read(services.jobs, job_id)
    assert (job.status, job.files_prefix) == (status, None)
    assert list(services.storage.list(f"jobs/{job_id}/1/")) == []
    assert status == "running" or job.progress is None
