"""The document of a job's result, as a worker stores it: the whole answer of PaddleX's serving route."""

from __future__ import annotations

import json
from typing import Any

from worker.job.record import Job
from worker.store import object_names
from worker.store.storage import Storage


def of(job_id: str, result: dict[str, Any]) -> dict[str, Any]:
    return {"logId": job_id, "result": result, "errorCode": 0, "errorMsg": "Success"}


def read_result(job: Job, storage: Storage) -> dict[str, Any]:
    """Return the result of a job that succeeded; read it from storage unless the job has it. Raises ObjectMissing."""
    document = job.document or storage.get(object_names.result(str(job.files_prefix)))
    result: dict[str, Any] = json.loads(document)["result"]
    return result
