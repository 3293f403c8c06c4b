"""A small job whose result is made and stored as a worker does, and then described as the gateway does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from configs.settings import Settings
from ovseg_core import answer
from ovseg_core.mask import Mask
from ovseg_core.outputs import Segmentation
from ovseg_core.prompts import Prompt
from worker import publish
from worker.image.content import ImageSource
from worker.job import description
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.store.storage import Storage

HW = (30, 40)


def described(job_id: str, outputs: list[str], settings: Settings) -> dict[str, Any]:
    """Return the job object of a job with two prompts and these outputs."""
    prompts = (Prompt.of_box(4, 3, 24, 18), Prompt.of_point(30, 20))
    request = JobRequest(
        image=ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=prompts,
        device="auto",
        outputs=tuple(outputs),
        metadata={},
        webhook=None,
    )
    record = {
        "status": "succeeded",
        "request": request.model_dump_json(),
        "attempt": "1",
        "accepted_at": "0",
        "files_prefix": f"jobs/{job_id}/1/",
        "image": json.dumps({"width": HW[1], "height": HW[0], "format": "PNG"}),
    }
    job, storage = Job.from_record(job_id, record), Storage(settings)
    masks = [Mask.of_crop(np.ones((5, 6), bool), (4 + 20 * i, 3), HW, 0.9) for i in range(len(prompts))]
    photo = np.full((*HW, 3), 120, np.uint8)
    with ThreadPoolExecutor(2) as threads:
        answers = answer.of(prompts, [[mask] for mask in masks])
        publish.store(job, Segmentation(HW, lambda: photo, answers, prompts), "0" * 64, storage, threads)
    return description.describe_with_result(job, storage)
