"""How much of everything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`requests` are of both kinds together, crude and nearly valid; `images` are mutated files; `kinds` is how many
    of the bombs and of the slow hosts are tried, None for all."""

    name: str
    requests: int
    images: int
    kinds: int | None
    patience_seconds: float  # for the jobs that are left when everything has been sent


SMALL = Scale("small", requests=1_500, images=150, kinds=4, patience_seconds=90)
FULL = Scale("full", requests=14_000, images=3_000, kinds=None, patience_seconds=900)
SCALES = {scale.name: scale for scale in (SMALL, FULL)}
