"""Attention heads in windows of a grid: how their positions and channels are split, and joined again.

B images, N windows of all images (or the B images, if a window is the whole grid), C channels, D = C / heads.
"""

from __future__ import annotations

from dataclasses import dataclass

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import paddle


@dataclass(frozen=True)
class Heads:
    """Heads that attend within square windows of a square grid; `grid` and `side` are their sides, in positions.

    The last windows are padded with zeros. A window may be the whole grid.
    """

    number: int
    grid: int
    side: int

    @property
    def across(self) -> int:
        """The number of windows along each side of the grid."""
        return -(-self.grid // self.side)

    def split(self, x: paddle.Tensor) -> paddle.Tensor:
        """Split (B, grid * grid, C) by window and head: (N, heads, side * side, D)."""
        side, across, width = self.side, self.across, x.shape[-1] // self.number
        if across == 1:  # the code below would do the same, but Paddle on a CPU is slow with many axes
            return x.reshape([-1, side * side, self.number, width]).transpose([0, 2, 1, 3])
        beyond = across * side - self.grid
        x = F.pad(x.reshape([-1, self.grid, self.grid, x.shape[-1]]), [0, 0, 0, beyond, 0, beyond, 0, 0])
        x = x.reshape([-1, side, across, side, self.number, width]).transpose([0, 2, 4, 1, 3, 5])
        return x.reshape([-1, self.number, side * side, width])

    def join(self, x: paddle.Tensor) -> paddle.Tensor:
        """Undo `split`: (N, heads, side * side, D) to (B, grid * grid, C)."""
        side, across, channels = self.side, self.across, self.number * x.shape[-1]
        if across == 1:
            return x.transpose([0, 2, 1, 3]).flatten(2, 3)
        x = x.reshape([-1, across, self.number, side, side, x.shape[-1]]).transpose([0, 3, 1, 4, 2, 5])
        x = x.reshape([-1, across * side, across * side, channels])
        return x[:, : self.grid, : self.grid].flatten(1, 2)
