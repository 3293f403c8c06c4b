"""Submissions that mean the same job: under one Idempotency-Key, or under an id that the caller chose."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from worker.image.content import ImageSource
from worker.job.parsing import Submission


@dataclass(frozen=True)
class Once:
    """Under one key, or one job id where `key` is empty, there is one job, which asks for what `fingerprint` says."""

    key: str
    fingerprint: str


def by_key(scope: str, key: str, submission: Submission) -> Once:
    """A key counts among those of its caller, the `scope`: "" until callers can be told apart."""
    return Once(f"{scope}/{key}", fingerprint(submission))


def by_id(submission: Submission) -> Once:
    return Once("", fingerprint(submission))


def fingerprint(submission: Submission) -> str:
    """SHA-256 of what is asked, as it was understood: spelling and order of the JSON's fields make no difference."""
    asked = submission.stored_as(_source(submission)).model_dump(mode="json", exclude={"image": {"content"}})
    # A field that a later version adds, and nobody gave, leaves the fingerprint as it was.
    given = {name: value for name, value in asked.items() if value is not None}
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _source(submission: Submission) -> ImageSource:
    """An image by its digest, wherever it will be stored."""
    if isinstance(submission.image, str):
        return ImageSource(url=submission.image)
    known = submission.content
    return ImageSource(key=known.sha256 if known else hashlib.sha256(submission.image).hexdigest())
