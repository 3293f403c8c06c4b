"""Names in storage: of a result's files, under the prefix of the attempt that made them, and of embeddings."""

from __future__ import annotations


def result(prefix: str) -> str:
    return f"{prefix}result.json"


def overlay(prefix: str) -> str:
    return f"{prefix}overlay.jpg"


def mask(prefix: str, index: int) -> str:
    return f"{prefix}masks/{index:04d}.png"


EMBEDDINGS = "embeddings/"


def embedding(key: str) -> str:
    return f"{EMBEDDINGS}{key}"
