"""Returns the memory of large bodies to the operating system."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # see mallopt(3)
LARGE_BYTES = 1 << 20


def give_back_large_blocks() -> None:
    """Make glibc map every block of a megabyte or more separately, so that freeing the block returns its memory.

    By default glibc raises this threshold to the largest block freed so far, up to 32 MB. Images are then placed in the
    heap, which cannot shrink below a block that is still in use. Does nothing if the C library has no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
