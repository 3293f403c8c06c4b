"""The decoder: queries attend to one another, to the text and to the image, and each layer corrects their boxes."""

from __future__ import annotations

from ovseg_core.grounding_dino import sine
from ovseg_core.grounding_dino.attention import Attention, FeedForward
from ovseg_core.grounding_dino.deformable_attention import DeformableAttention
from ovseg_core.grounding_dino.proposals import Contrast
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.mlp import MLP
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle

EPSILON = 1e-5  # boxes are kept this far from 0 and 1 before they become logits, as in transformers


class Layer(nn.Layer):
    """A layer of the decoder."""

    def __init__(self, shape: Shape, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        channels = shape.channels
        self.self_attention = Attention(channels, shape.heads)
        self.self_norm = nn.LayerNorm(channels)
        self.text_attention = Attention(channels, shape.heads)
        self.text_norm = nn.LayerNorm(channels)
        self.image_attention = DeformableAttention(channels, shape.heads, shape.points, sizes)
        self.image_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels, shape.hidden)

    def forward(
        self,
        x: paddle.Tensor,
        places: paddle.Tensor,
        references: paddle.Tensor,
        image: paddle.Tensor,
        is_image: paddle.Tensor,
        text: paddle.Tensor,
        text_mask: paddle.Tensor,
    ) -> paddle.Tensor:
        """Return the queries (Q, C). `places` (Q, C) is the embedding of their boxes."""
        queries = x + places
        x = self.self_norm(x + self.self_attention(queries, queries, x))
        x = self.text_norm(x + self.text_attention(x + places, text, text, text_mask))
        x = self.image_norm(x + self.image_attention(x + places, image, is_image, references))
        return self.feed_forward(x)


class Decoder(nn.Layer):
    """The boxes of the first stage (Q, 4) to boxes and to how well each fits each token."""

    def __init__(self, shape: Shape, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        channels = shape.channels
        self.queries = self.create_parameter([shape.queries, channels])
        self.place = MLP(2 * channels, channels, channels, depth=2)
        self.layers = nn.LayerList([Layer(shape, sizes) for _ in range(shape.depth)])
        self.norm = nn.LayerNorm(channels)
        # The layers share one box head, or each has its own.
        self.boxes = nn.LayerList(
            [MLP(channels, channels, 4, depth=3) for _ in range(shape.depth if shape.is_mm else 1)]
        )
        self.contrast = Contrast(shape)
        self.register_buffer("rates", paddle.to_tensor(sine.rates(channels // 2)), persistable=False)

    def forward(
        self,
        boxes: paddle.Tensor,
        shares: paddle.Tensor,
        image: paddle.Tensor,
        is_image: paddle.Tensor,
        text: paddle.Tensor,
        text_mask: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (Q, T), and boxes (Q, 4) as centre and size from 0 to 1 of the image.

        Args:
            boxes: (Q, 4), likewise.
            shares: (levels, 2); see `levels.Levels`.
            image: (L, C).
            is_image: (L,): 0 for padding.
            text: (T, C).
            text_mask: (T,), added to the scores of tokens.
        """
        of_boxes = paddle.concat([shares, shares], axis=1)
        x = self.queries
        for i, layer in enumerate(self.layers):
            references = boxes.unsqueeze(1) * of_boxes
            x = layer(x, self._places(references[:, 0]), references, image, is_image, text, text_mask)
            is_last = i == len(self.layers) - 1
            # The heads of the last layer, and only these, see normalised queries.
            boxes = self._corrected(boxes, self.norm(x) if is_last else x, i)
        return self.contrast(self.norm(x), text, text_mask), boxes

    def _corrected(self, boxes: paddle.Tensor, x: paddle.Tensor, layer: int) -> paddle.Tensor:
        head = self.boxes[min(layer, len(self.boxes) - 1)]
        boxes = boxes.clip(EPSILON, 1 - EPSILON)
        return F.sigmoid(head(x) + paddle.log(boxes / (1 - boxes)))

    def _places(self, boxes: paddle.Tensor) -> paddle.Tensor:
        """Return the embedding (Q, C) of boxes (Q, 4): from sines of y, x, width and height, in this order."""
        x, y, size = boxes[:, :1], boxes[:, 1:2], boxes[:, 2:]
        angles = paddle.concat([y, x, size], axis=1).unsqueeze(2) * self.rates
        return self.place(paddle.stack([angles.sin(), angles.cos()], axis=3).flatten(1))
