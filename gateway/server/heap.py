"""What large bodies took is given back to the system."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE_BYTES = 1 << 20


def give_back_large_blocks() -> None:
    """Have glibc map blocks of a megabyte and more one by one, so that each goes back when it is freed.

    By itself glibc raises that threshold to the largest block freed so far, up to 32 MB; then images lie in the heap,
    which cannot shrink past what lies behind them. Nothing is done where the C library has no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
