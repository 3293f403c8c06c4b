"""The keys of results and embeddings in object storage. A result is under the prefix of the attempt that made it.

`ovseg_core.outputs` has the names of the other files under that prefix.
"""

from __future__ import annotations


def result(prefix: str) -> str:
    return f"{prefix}result.json"


EMBEDDINGS = "embeddings/"


def embedding(key: str) -> str:
    return f"{EMBEDDINGS}{key}"


def of_tenant(prefix: str) -> list[str]:
    """Return the beginnings of the keys of all jobs, and groups of jobs, of a tenant whose ids begin with `prefix`."""
    return [f"{folder}{prefix}" for folder in ("jobs/", "archive/accepted/", "archive/groups/", "archive/ended/")]
