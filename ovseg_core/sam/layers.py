"""Small layers and changes of layout that several of SAM's modules use."""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


def as_rows(x: paddle.Tensor) -> paddle.Tensor:
    """(N, C, h, w) to (N, h*w, C).

    OpenVINO stores the arrays of convolutions with channels last, so this moves no data there. A result with four axes
    and channels last would make it move data.
    """
    return x.transpose([0, 2, 3, 1]).flatten(1, 2)


def as_map(x: paddle.Tensor, hw: tuple[int, int]) -> paddle.Tensor:
    """Undo `as_rows`: (N, h*w, C) to (N, C, h, w)."""
    return x.reshape([-1, *hw, x.shape[-1]]).transpose([0, 3, 1, 2])


class LayerNorm2d(nn.Layer):
    """Layer normalisation over the channels of (N, C, h, w), separately at each position."""

    def __init__(self, channels: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = self.create_parameter([channels], default_initializer=nn.initializer.Constant(1.0))
        self.bias = self.create_parameter([channels], is_bias=True)
        self.epsilon = epsilon

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return as_map(self.over_last(as_rows(x)), tuple(x.shape[2:]))

    def over_last(self, x: paddle.Tensor) -> paddle.Tensor:
        """Normalise (..., C), where channels are the last axis."""
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.epsilon)


class BatchNorm(nn.Layer):
    """Normalises (B, C, h, w) by the statistics of the training. Their names in the checkpoint are PyTorch's."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = self.create_parameter([channels], default_initializer=nn.initializer.Constant(1.0))
        self.bias = self.create_parameter([channels], is_bias=True)
        self.register_buffer("running_mean", paddle.zeros([channels]))
        self.register_buffer("running_var", paddle.ones([channels]))
        self.epsilon = epsilon

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, epsilon=self.epsilon)


class Doubling(nn.Conv2DTranspose):
    """A transposed convolution with a kernel of 2 x 2 and a stride of 2, as one matrix product: each position becomes
    four."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, kernel_size=2, stride=2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, L, C) to (N, 4 * L, C'): the four results of each position follow each other, row by row."""
        channels, out_channels = self.weight.shape[:2]
        kernel = self.weight.transpose([0, 2, 3, 1]).reshape([channels, 4 * out_channels])
        return (x @ kernel + paddle.concat([self.bias] * 4)).reshape([-1, 4 * x.shape[1], out_channels])


def neck(channels: int, out_channels: int) -> nn.Sequential:
    """Make the last layers of an image encoder: from its last block (B, C, h, w) to the image embedding."""
    return nn.Sequential(
        nn.Conv2D(channels, out_channels, 1, bias_attr=False),
        LayerNorm2d(out_channels),
        nn.Conv2D(out_channels, out_channels, 3, padding=1, bias_attr=False),
        LayerNorm2d(out_channels),
    )
