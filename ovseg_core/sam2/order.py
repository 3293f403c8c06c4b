"""Orders of a grid's positions. Each is an array of indices, with which `gather` changes one order to another.

"Rows" is the order row by row. "Windows" takes one window after another, row by row, and the positions of each window
row by row. "Cells" is the order in which SAM's mask decoder makes its cells: it splits a position of the image
embedding into four quarters, and again each quarter into four.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import paddle


def to_windows(side: int, window: int) -> paddle.Tensor:
    """Return the indices from rows to windows, for a grid with `side * side` positions."""
    across = side // window
    return paddle.arange(side * side).reshape([across, window, across, window]).transpose([0, 2, 1, 3]).flatten()


def from_windows(side: int, window: int) -> paddle.Tensor:
    """Return the indices from windows to rows."""
    across = side // window
    return paddle.arange(side * side).reshape([across, across, window, window]).transpose([0, 2, 1, 3]).flatten()


def to_quarters(side: int) -> paddle.Tensor:
    """Return the indices from windows of 4 x 4 to cells, for the grid of the quarters."""
    across = side // 4
    indices = paddle.arange(side * side).reshape([across, across, 2, 2, 2, 2])
    return indices.transpose([0, 2, 1, 4, 3, 5]).flatten()


def to_sixteenths(side: int) -> paddle.Tensor:
    """Return the indices from windows of 8 x 8 to cells, for the grid of the quarters of the quarters."""
    across = side // 8
    indices = paddle.arange(side * side).reshape([across, across, 2, 2, 2, 2, 2, 2])
    return indices.transpose([0, 2, 1, 5, 3, 6, 4, 7]).flatten()
