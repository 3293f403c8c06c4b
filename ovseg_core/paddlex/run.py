"""The value that `predict` returns: an iterator of results, with the list of images that were skipped."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ovseg_core.paddlex.image_result import ImageResult

ON_ERROR = ("raise", "skip")  # what `predict` may do with an image that has no result

Found = TypeVar("Found", bound=ImageResult)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Skipped:
    """An image without a result: its path or URL (None for an array), its position (from 0) and the error."""

    path: str | None
    position: int
    error: Exception


class Run(Iterator[Found]):
    """An iterator that computes each result when it is requested. `skipped` lists the images without a result so far.

    Leaving the loop and `close` return immediately; no further file is read.
    """

    def __init__(self, found: Generator[Found | Skipped], skips: bool) -> None:
        self._found, self._skips = found, skips
        self.skipped: list[Skipped] = []

    def __next__(self) -> Found:
        for item in self._found:
            if not isinstance(item, Skipped):
                return item
            if not self._skips:
                self.close()
                raise item.error
            log.warning("skipped: %s", item.error)
            self.skipped.append(_without_frames(item))
        raise StopIteration

    def close(self) -> None:
        self._found.close()


def _without_frames(skipped: Skipped) -> Skipped:
    """Remove the tracebacks of the error: their frames would keep whole files and images in memory."""
    error: BaseException | None = skipped.error
    while error is not None:
        error.__traceback__, error.__context__, error = None, None, error.__cause__
    return skipped
