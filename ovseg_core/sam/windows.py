"""Split a grid of positions into square windows, and join them again. B images, h*w positions, C channels.

Two axes are swapped by stacking slices: Paddle on a CPU does this about ten times as fast as a transpose.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import paddle


def split(x: paddle.Tensor, side: int) -> paddle.Tensor:
    """Split (B, h, w, C), padded with zeros at the bottom and right, into windows (B * count, side, side, C)."""
    count, h, w, channels = x.shape
    down, across = -(-h // side), -(-w // side)
    x = F.pad(x, [0, 0, 0, down * side - h, 0, across * side - w, 0, 0])
    rows = x.reshape([count * down, side, across, side * channels]).unbind(1)
    return paddle.stack(rows, axis=2).reshape([-1, side, side, channels])


def join(windows: paddle.Tensor, hw: tuple[int, int]) -> paddle.Tensor:
    """Undo `split`: windows (B * count, side, side, C) to (B, h, w, C) without the padding."""
    h, w = hw
    side, channels = windows.shape[2:]
    down, across = -(-h // side), -(-w // side)
    rows = windows.reshape([-1, across, side, side * channels]).unbind(2)
    return paddle.stack(rows, axis=1).reshape([-1, down * side, across * side, channels])[:, :h, :w]
