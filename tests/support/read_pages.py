"""The pages of an input of `predict`."""

from __future__ import annotations

from ovseg_core.paddlex import inputs
from ovseg_core.paddlex.inputs import Input, Page


def pages_of(given: Input, size: int = 1) -> list[Page]:
    """Read all pages, in batches of `size`. The test fails if one cannot be read."""
    pages = []
    for batch in inputs.batches(given, size):
        assert len(batch) <= size
        for page in batch:
            assert isinstance(page, Page), page
            pages.append(page)
    return pages
