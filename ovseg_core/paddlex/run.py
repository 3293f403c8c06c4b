"""What `predict` returns: results, one after the other, and the images that were skipped."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from ovseg_core.paddlex.result import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Skipped:
    """An image without a result: its path or URL (None for an array), its position (from 0) and the error."""

    path: str | None
    position: int
    error: Exception


class Run(Iterator[Result]):
    """Results, each computed when it is asked for. `skipped` has the images that had none so far.

    Leaving the loop and `close` return at once; no further file is read.
    """

    def __init__(self, found: Generator[Result | Skipped], skips: bool) -> None:
        self._found, self._skips = found, skips
        self.skipped: list[Skipped] = []

    def __next__(self) -> Result:
        for one in self._found:
            if isinstance(one, Result):
                return one
            if not self._skips:
                self.close()
                raise one.error
            log.warning("skipped: %s", one.error)
            self.skipped.append(_without_frames(one))
        raise StopIteration

    def close(self) -> None:
        self._found.close()


def _without_frames(skipped: Skipped) -> Skipped:
    """Without tracebacks, whose frames would keep whole files and pictures in memory."""
    error: BaseException | None = skipped.error
    while error is not None:
        error.__traceback__, error.__context__, error = None, None, error.__cause__
    return skipped
