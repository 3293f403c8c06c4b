"""Show on a terminal that a step without progress of its own is still running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tqdm import tqdm

PERIOD_SECONDS = 0.5


@contextmanager
def elapsed(step: str) -> Iterator[None]:
    """Show the step and its seconds on stderr while the block runs, if stderr is a terminal."""
    ended = Event()
    with tqdm(desc=step, bar_format="{desc} {elapsed}", leave=False, disable=None) as line:

        def tick() -> None:
            while not ended.wait(PERIOD_SECONDS):
                line.refresh()

        ticking = Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            ended.set()
            ticking.join()
