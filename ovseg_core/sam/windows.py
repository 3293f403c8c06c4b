"""A grid of positions cut into square windows, and put together again. B images, h*w positions, C channels.

One axis is swapped with another by a stack of slices, which Paddle's CPU does some ten times as fast as a transpose.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import paddle


def split(x: paddle.Tensor, side: int) -> paddle.Tensor:
    """(B, h, w, C), padded with zeros at the bottom and right, as windows (B * count, side, side, C)."""
    n, h, w, channels = x.shape
    down, across = -(-h // side), -(-w // side)
    x = F.pad(x, [0, 0, 0, down * side - h, 0, across * side - w, 0, 0])
    rows = x.reshape([n * down, side, across, side * channels]).unbind(1)
    return paddle.stack(rows, axis=2).reshape([-1, side, side, channels])


def join(windows: paddle.Tensor, hw: tuple[int, int]) -> paddle.Tensor:
    """The way back from `split`: (B, h, w, C)."""
    h, w = hw
    side, channels = windows.shape[2:]
    down, across = -(-h // side), -(-w // side)
    rows = windows.reshape([-1, across, side, side * channels]).unbind(2)
    return paddle.stack(rows, axis=1).reshape([-1, down * side, across * side, channels])[:, :h, :w]
