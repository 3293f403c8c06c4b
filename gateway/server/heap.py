"""Give the memory of large bodies back to the system."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE_BYTES = 1 << 20


def give_back_large_blocks() -> None:
    """Have glibc map every block of a megabyte or more by itself, so that it returns to the system when it is freed.

    By default glibc raises this threshold to the largest block freed so far, up to 32 MB. Images are then placed in the
    heap, which cannot shrink below a block that is still in use. Does nothing if the C library has no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
