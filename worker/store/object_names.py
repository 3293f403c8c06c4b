"""The keys of results and embeddings in object storage. A result is under the prefix of the attempt that made it.

`ovseg_core.outputs` has the names of the other files under that prefix.
"""

from __future__ import annotations


def result(prefix: str) -> str:
    return f"{prefix}result.json"


EMBEDDINGS = "embeddings/"


def embedding(key: str) -> str:
    return f"{EMBEDDINGS}{key}"
