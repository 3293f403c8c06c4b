"""Shifted windows (Liu et al., 2021, https://arxiv.org/abs/2103.14030) as arrays of indices.

The grid of positions is padded at the bottom and right to whole windows, and shifted cyclically. So the windows of the
last row and column contain positions from opposite sides of the grid, which must not attend to each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCKED = -100.0  # added to scores, as in the original; e to the power of this is zero in float32


class Windows(NamedTuple):
    """The windows of a grid, in rows of positions.

    Attributes:
        to: (N * side * side,): the index of each position of the N windows in the grid; h * w for padding.
        back: (h * w,): the index of each position of the grid in the windows.
        kinds: (N,): which of the masks of `masks` each window has.
    """

    to: np.ndarray
    back: np.ndarray
    kinds: np.ndarray


def windows(hw: tuple[int, int], side: int, shift: int) -> Windows:
    """Return the windows of a grid of h x w positions that is shifted by `shift` positions up and to the left."""
    h, w = hw
    down, across = -(-h // side), -(-w // side)
    grid = np.full((down * side, across * side), h * w)
    grid[:h, :w] = np.arange(h * w).reshape(h, w)
    shifted = np.roll(grid, (-shift, -shift), (0, 1)).reshape(down, side, across, side)
    to = shifted.transpose(0, 2, 1, 3).flatten()
    back = np.empty(h * w + 1, to.dtype)
    back[to] = np.arange(len(to))
    is_last_row, is_last_column = np.arange(down) == down - 1, np.arange(across) == across - 1
    return Windows(to, back[:-1], (2 * is_last_row[:, None] + is_last_column).flatten())


def masks(side: int, shift: int) -> np.ndarray:
    """Return the masks (4, side * side, side * side) float32 that are added to the scores of shifted windows.

    They are for windows inside, in the last column, in the last row, and in the last of both.
    """
    is_wrapped = np.arange(side) >= side - shift
    rows, columns = np.repeat(is_wrapped, side), np.tile(is_wrapped, side)
    differ_down, differ_across = rows[:, None] != rows, columns[:, None] != columns
    blocked = [np.zeros_like(differ_down), differ_across, differ_down, differ_down | differ_across]
    return np.where(np.stack(blocked), BLOCKED, 0).astype(np.float32)


def relative_positions(side: int) -> np.ndarray:
    """Return the index (side^4,) of the bias of each pair of positions of a window, in a table of (2 * side - 1)^2."""
    y, x = np.divmod(np.arange(side * side), side)
    down, across = y[:, None] - y + side - 1, x[:, None] - x + side - 1
    indices: np.ndarray = (down * (2 * side - 1) + across).flatten()
    return indices
