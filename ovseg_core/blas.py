"""NumPy's matrix products on a single thread.

After a product the threads of OpenBLAS spin for milliseconds on the cores that the network needs next: a click took
SAM-Lite 1.5 times as long on two cores. Our matrices are small, and one thread is as fast as several.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy  # noqa: F401  loads OpenBLAS: threadpoolctl finds only libraries that are loaded
from threadpoolctl import ThreadpoolController


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Compute the matrix products in the `with` block on one thread. Other libraries keep their threads."""
    with _openblas().limit(limits=1, user_api="blas"):
        yield


@cache
def _openblas() -> ThreadpoolController:
    return ThreadpoolController().select(internal_api="openblas")
