"""`grounding_dino.sine.embedding` computed inside a graph."""

from __future__ import annotations

from ovseg_core.quiet_paddle import paddle


def embedding(numbers: paddle.Tensor, rates: paddle.Tensor) -> paddle.Tensor:
    """Return the embedding (N, 2 * R) of N numbers from the R angles per unit; sines and cosines alternate.

    The cosine of the negative angle is the same. If one tensor had the angles of both, oneDNN, which PaddleX uses on a
    CPU, would write the sine over the angle and then return the cosine of the sine (Paddle 3.3).
    """
    column = numbers.unsqueeze(1)
    return paddle.stack([(column * rates).sin(), (column * -rates).cos()], axis=2).flatten(1)
