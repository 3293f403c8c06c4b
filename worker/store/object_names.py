"""The keys of results, uploads and embeddings in object storage.

A result is under the prefix of the attempt that made it. `ovseg_core.outputs` has the names of the
other files under that prefix.
"""

from __future__ import annotations


def result(prefix: str) -> str:
    return f"{prefix}result.json"


def erased_item(batch_id: str, job_id: str) -> str:
    """Return the key of the note that the job of an item was erased, so that no other job is made of the item."""
    return f"batches/{batch_id}/erased/{job_id}"


def asked_file(job_id: str, name: str) -> str:
    """Return the key of a file that a worker made of a job's image because a client asked for it."""
    return f"jobs/{job_id}/asked/{name}"


def upload(upload_id: str) -> str:
    return f"uploads/{upload_id}"


EMBEDDINGS = "embeddings/"


def embedding(key: str) -> str:
    return f"{EMBEDDINGS}{key}"


def of_tenant(prefix: str) -> list[str]:
    """Return the beginnings of the keys of all jobs, groups of jobs, batches and uploads of a tenant.

    The ids of the tenant begin with `prefix`.
    """
    folders = ("jobs/", "batches/", "uploads/", "archive/accepted/", "archive/groups/", "archive/ended/")
    return [f"{folder}{prefix}" for folder in folders]
