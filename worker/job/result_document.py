"""The document of a job's result, as a worker stores it: the whole answer of PaddleX's serving route."""

from __future__ import annotations

import json
from typing import Any

from worker.store import object_names
from worker.store.storage import Storage


def of(job_id: str, result: dict[str, Any]) -> dict[str, Any]:
    return {"logId": job_id, "result": result, "errorCode": 0, "errorMsg": "Success"}


def read_result(files_prefix: str, storage: Storage) -> dict[str, Any]:
    """Read the result of a job that succeeded from storage. Raises ObjectMissing."""
    result: dict[str, Any] = json.loads(storage.get(object_names.result(files_prefix)))["result"]
    return result
