"""What `predict` gives: results, one after the other, and what was skipped."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from ovseg_core.paddlex.result import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Skipped:
    """An image without a result: its path or URL (None for an array), its place in the run from 0, and why."""

    path: str | None
    position: int
    error: Exception


class Run(Iterator[Result]):
    """Results, each computed when it is asked for. `skipped` are the images passed over so far.

    To leave the loop, or to `close`, returns at once, and nothing more is read.
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
    """What an error keeps of the frames that it came through is whole files and pictures."""
    error: BaseException | None = skipped.error
    while error is not None:
        error.__traceback__, error.__context__, error = None, None, error.__cause__
    return skipped
