"""The size of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The size of a run.

    `requests` counts crude and nearly valid requests together, `images` mutated files. `kinds` limits the kinds of
    bombs and of slow hosts; None means all.
    """

    name: str
    requests: int
    images: int
    kinds: int | None
    patience_seconds: float  # for the jobs that have not ended when everything has been sent


SMALL = Scale("small", requests=1_500, images=150, kinds=4, patience_seconds=90)
FULL = Scale("full", requests=14_000, images=3_000, kinds=None, patience_seconds=900)
SCALES = {scale.name: scale for scale in (SMALL, FULL)}
