"""The fusion encoder: in each layer, image and text attend to each other and then each to itself."""

from __future__ import annotations

from ovseg_core.grounding_dino.attention import Attention, FeedForward, by_head
from ovseg_core.grounding_dino.attention_mask import BLOCKED
from ovseg_core.grounding_dino.deformable_attention import DeformableAttention
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class CrossAttention(nn.Layer):
    """Attention of the image (L, C) to the text (T, C), and of the text to the image, with the same scores.

    An image has some 20,000 positions and a text has few tokens. Therefore the weights of the image's projections are
    multiplied with the text first. For 16 tokens this saves nine tenths of the work, which is a third of the whole
    encoder's. For the maximum of 256 tokens it is as much work as the other order.
    """

    def __init__(self, channels: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.image_query = nn.Linear(channels, width)
        self.text_key = nn.Linear(channels, width)
        self.image_value = nn.Linear(channels, width)
        self.text_value = nn.Linear(channels, width)
        self.image_out = nn.Linear(width, channels)
        self.text_out = nn.Linear(width, channels)

    def forward(
        self, image: paddle.Tensor, text: paddle.Tensor, image_mask: paddle.Tensor, text_mask: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return what is added to the image (L, C) and to the text (T, C).

        `image_mask` (L,) and `text_mask` (T,) are added to the scores of what is attended to.
        """
        positions = image.shape[0]
        scores = self._scores(image, text)  # L, heads * T
        per_head = scores.reshape([positions, self.heads, -1]) + text_mask
        to_image = F.softmax(per_head, axis=-1).reshape([positions, -1])
        to_text = F.softmax(scores.transpose([1, 0]) + image_mask, axis=-1)
        return self._to_image(to_image, text), self._to_text(to_text, image)

    def _scores(self, image: paddle.Tensor, text: paddle.Tensor) -> paddle.Tensor:
        keys = by_head(self.text_key(text), self.heads).transpose([0, 2, 1])  # heads, width, T
        width = keys.shape[1]
        keys = keys * width**-0.5
        weight = paddle.matmul(by_head(self.image_query.weight, self.heads), keys)  # heads, C, T
        bias = paddle.matmul(self.image_query.bias.reshape([self.heads, 1, width]), keys)
        return paddle.matmul(image, weight.transpose([1, 0, 2]).flatten(1)) + bias.flatten()

    def _to_image(self, weights: paddle.Tensor, text: paddle.Tensor) -> paddle.Tensor:
        """Return (L, C) from weights (L, heads * T)."""
        values = by_head(self.text_value(text), self.heads)  # heads, T, width
        out = self.image_out.weight.reshape([self.heads, values.shape[2], -1])
        return paddle.matmul(weights, paddle.matmul(values, out).flatten(0, 1)) + self.image_out.bias

    def _to_text(self, weights: paddle.Tensor, image: paddle.Tensor) -> paddle.Tensor:
        """Return (T, C) from weights (heads * T, L). Those of a token add up to 1, so the bias is added afterwards."""
        seen = paddle.matmul(weights, image).reshape([self.heads, -1, image.shape[1]])
        values = paddle.matmul(seen, by_head(self.image_value.weight, self.heads))  # heads, T, width
        return self.text_out(values.transpose([1, 0, 2]).flatten(1) + self.image_value.bias)


class Layer(nn.Layer):
    """A layer of the fusion encoder."""

    def __init__(self, shape: Shape, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        channels, hidden, heads = shape.channels, shape.hidden, shape.heads
        ones = nn.initializer.Constant(1.0)
        self.image_norm, self.text_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.cross_attention = CrossAttention(channels, hidden // 2, heads // 2)
        self.image_scale = self.create_parameter([channels], default_initializer=ones)
        self.text_scale = self.create_parameter([channels], default_initializer=ones)
        self.text_attention = Attention(channels, heads // 2)
        self.text_attention_norm = nn.LayerNorm(channels)
        self.text_feed_forward = FeedForward(channels, hidden // 2)
        self.image_attention = DeformableAttention(channels, heads, shape.points, sizes)
        self.image_attention_norm = nn.LayerNorm(channels)
        self.image_feed_forward = FeedForward(channels, hidden)

    def fused(
        self, image: paddle.Tensor, text: paddle.Tensor, image_mask: paddle.Tensor, text_mask: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the image (L, C) and the text (T, C) after they have attended to each other."""
        image, text = self.image_norm(image), self.text_norm(text)
        to_image, to_text = self.cross_attention(image, text, image_mask, text_mask)
        return image + to_image * self.image_scale, text + to_text * self.text_scale

    def text_step(self, text: paddle.Tensor, places: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        """Return the text (T, C) after it has attended to itself."""
        queries = text + places
        text = self.text_attention_norm(text + self.text_attention(queries, queries, text, mask))
        return self.text_feed_forward(text)

    def image_step(
        self, image: paddle.Tensor, places: paddle.Tensor, is_image: paddle.Tensor, references: paddle.Tensor
    ) -> paddle.Tensor:
        """Return the image (L, C) after it has attended to itself."""
        attended = self.image_attention(image + places, image, is_image, references)
        return self.image_feed_forward(self.image_attention_norm(image + attended))


class FusionEncoder(nn.Layer):
    """Features of an image (L, C) and of a text (T, C) to features of each that depend on both."""

    def __init__(self, shape: Shape, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sizes
        self.level_embedding = self.create_parameter([len(sizes), shape.channels])
        self.layers = nn.LayerList([Layer(shape, sizes) for _ in range(shape.depth)])

    def forward(
        self,
        image: paddle.Tensor,
        image_places: paddle.Tensor,
        is_image: paddle.Tensor,
        references: paddle.Tensor,
        text: paddle.Tensor,
        text_places: paddle.Tensor,
        text_mask: paddle.Tensor,
        self_mask: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the features of the image (L, C) and of the text (T, C).

        Args:
            image: (L, C).
            image_places: (L, C), the embedding of each position.
            is_image: (L,): 0 for padding.
            references: (L, levels, 2); see `levels.Levels`.
            text: (T, C).
            text_places: (T, C), the embedding of each token's position in its phrase.
            text_mask: (T,), added to the scores of tokens.
            self_mask: (T, T), added to the scores of tokens to tokens.
        """
        levels = [self.level_embedding[i].expand([h * w, -1]) for i, (h, w) in enumerate(self.sizes)]
        image_places = image_places + paddle.concat(levels)
        image_mask = (1 - is_image) * BLOCKED
        for layer in self.layers:
            image, text = layer.fused(image, text, image_mask, text_mask)
            text = layer.text_step(text, text_places, self_mask)
            image = layer.image_step(image, image_places, is_image, references)
        return image, text
