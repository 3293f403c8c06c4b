"""NumPy's products of matrices, without its threads.

After a product OpenBLAS's threads spin for milliseconds, on the very cores that the network wants next: a click of
SAM-Lite took half as long again on two cores. Our matrices are small, and one thread is as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy  # noqa: F401  its library is looked for among those that are loaded
from threadpoolctl import ThreadpoolController


@contextmanager
def on_one_thread() -> Iterator[None]:
    """For the products in the block. Other libraries keep their threads."""
    with _openblas().limit(limits=1, user_api="blas"):
        yield


@cache
def _openblas() -> ThreadpoolController:
    return ThreadpoolController().select(internal_api="openblas")
