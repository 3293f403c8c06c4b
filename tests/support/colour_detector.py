"""A detector that knows two words: "r" for red and "g" for green.

It is the small Grounding DINO with weights that are constructed, not trained. The image encoder stays random; its
features still depend on the colour of what is below them. All other layers only pass features on: a query gets the
features at the centre of its box, and boxes stay as they are proposed. Each of the two words becomes the direction
that separates the features of its colour best from those of the other colour and of grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ovseg_core.engines import in_paddle
from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino import levels, text, tokenizer
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.in_parts import DetectorInParts
from ovseg_core.grounding_dino.parts import ImageParts, TextParts
from ovseg_core.grounding_dino.placement import Placement, drawn
from ovseg_core.quiet_paddle import nn, paddle
from tests.support import small_grounding_dino
from tests.support.small_grounding_dino import CANVAS_HW, IMAGE_HW, SHAPE

SIZES = Placement(short_side=IMAGE_HW[0], long_side=max(CANVAS_HW), canvases=(CANVAS_HW,))
WORDS = {"r": (255, 0, 0), "g": (0, 255, 0)}
GREY = (110, 110, 110)
SCENES = 48
ABSENT = ("", "r", "g", "rg")  # the words whose colours a scene lacks, in turn
QUERIES = 300  # nearly all positions
# The layers whose results are added to what they get. With zeros they only pass it on.
SILENT = (
    "text_attention.out",
    "self_attention.out",
    "narrow",
    "text_out",
    "image_out",
    "box.layers.2",
    "boxes.0.layers.2",
)


def detector(weights: Path, level: int | None = None, encode: Callable[[ImageParts], Runner] | None = None) -> Detector:
    """Return the detector, from the file that `small_grounding_dino.file` wrote.

    With a `level`, only the positions of this level propose boxes. `encode` makes another runner of the image encoder.
    """
    image, words = small_grounding_dino.load(SHAPE, weights)
    counts = [h * w for h, w in levels.sizes(CANVAS_HW)]
    queries = QUERIES if level is None else counts[level]
    _pass_on(image, queries)
    image.shape = replace(SHAPE, queries=queries)
    run = in_paddle.runners(image) | in_paddle.runners(words)
    _learn(words, run, _directions(run))
    if encode is not None:
        run["encode"] = encode(image)
    if level is not None:
        run["fuse"] = _choosing(run["fuse"], np.repeat(np.arange(len(counts)) == level, counts))
    return DetectorInParts(image.shape, run["text"], lambda canvas_hw: run, SIZES)


def _choosing(fuse: Runner, positions: np.ndarray) -> Runner:
    """Return the part `fuse` with low scores of all positions except these (L,) bool."""

    def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        image, words, scores = fuse(*inputs)
        return image, words, np.where(positions, scores, -np.inf)

    return run


def scene(boxes_xyxy: Mapping[str, tuple[int, int, int, int]], image_hw: tuple[int, int]) -> np.ndarray:
    """Return a grey image with boxes in the colours of their words."""
    image = np.full((*image_hw, 3), GREY, np.uint8)
    for word, (x0, y0, x1, y1) in boxes_xyxy.items():
        image[y0:y1, x0:x1] = WORDS[word]
    return image


def _pass_on(image: ImageParts, queries: int) -> None:
    """Make the layers after the image encoder pass on what they get."""
    zeros = nn.initializer.Constant(0.0)
    image.decoder.queries = image.decoder.create_parameter([queries, SHAPE.channels], default_initializer=zeros)
    for name, value in image.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if name.startswith("image_encoder."):
            continue
        if layer.endswith("norm"):
            value.set_value(paddle.full_like(value, kind == "weight"))
        elif layer.endswith(SILENT) or name == "fusion.level_embedding":
            value.set_value(paddle.zeros_like(value))
        elif name.startswith("decoder.") and "image_attention" in name:
            value.set_value(_as_centre_of_the_finest_level(name, value))
        elif "image_attention.out" in name:
            value.set_value(paddle.zeros_like(value))
        elif name == "proposals.out.weight":
            value.set_value(paddle.eye(value.shape[0]))
        elif name == "proposals.out.bias":
            value.set_value(paddle.zeros_like(value))


def _as_centre_of_the_finest_level(name: str, value: paddle.Tensor) -> paddle.Tensor:
    """Return the parameter of an attention that returns the features at the centre of a box, in the finest level."""
    if name.endswith(("value.weight", "out.weight")):
        return paddle.eye(value.shape[0])
    if name.endswith("weights.bias"):
        by_level = value.reshape([SHAPE.heads, len(levels.STRIDES), SHAPE.points]) * 0
        by_level[:, 0] = 50.0  # softmax makes 0 of the others
        return by_level.flatten()
    return paddle.zeros_like(value)


def _directions(run: Mapping[str, Runner]) -> np.ndarray:
    """Return the direction (words, C) of each word, by least squares on scenes with boxes at random places."""
    rng, (height, width), (h, w) = np.random.default_rng(0), IMAGE_HW, levels.sizes(CANVAS_HW)[0]
    is_image = levels.of(CANVAS_HW, IMAGE_HW, SHAPE.channels).is_image[: h * w] > 0
    ys, xs = np.divmod(np.flatnonzero(is_image), w)
    ys, xs = (np.minimum(8 * at + 4, side - 1) for at, side in ((ys, height), (xs, width)))  # centres of the positions
    features, colours = [], []
    for i in range(SCENES):
        boxes = {}
        for x, word in zip((0, width // 2), rng.permutation(list(WORDS)), strict=True):
            x, y = x + int(rng.integers(width // 2 - 35)), int(rng.integers(height - 35))
            boxes[str(word)] = (x, y, x + 35, y + 35)
        for word in ABSENT[i % len(ABSENT)]:
            del boxes[word]
        pixels = scene(boxes, IMAGE_HW)
        [encoded] = run["encode"](drawn(pixels, IMAGE_HW, CANVAS_HW))
        features.append(encoded[0, : h * w][is_image])
        colours.append(pixels[ys, xs])
    rows, seen = np.concatenate(features), np.concatenate(colours)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= rows.std(axis=1, keepdims=True)
    wanted = np.stack([np.where((seen == colour).all(axis=1), 1, -1) for colour in WORDS.values()], axis=1)
    solved, *_ = np.linalg.lstsq(rows, wanted, rcond=1e-3)
    directions: np.ndarray = solved.T
    return directions


def _learn(words: TextParts, run: Mapping[str, Runner], directions: np.ndarray) -> None:
    """Make the text encoder's projection return these directions (words, C) for the words, and zeros for delimiters."""
    asked = text.of([tokenizer.tokens(word) for word in WORDS])
    count = int((asked.mask == 0).sum())
    wanted = np.zeros((len(asked.tokens), SHAPE.channels), np.float32)
    for (start, _), direction in zip(asked.spans, directions, strict=True):
        wanted[start] = direction
    projection = words.text_encoder.projection
    channels = SHAPE.text_channels
    projection.bias.set_value(paddle.zeros_like(projection.bias))
    projection.weight.set_value(paddle.eye(channels, SHAPE.channels))
    [features] = run["text"](asked.tokens, asked.positions, asked.self_mask)
    solved, *_ = np.linalg.lstsq(features[:count, :channels], wanted[:count], rcond=None)
    projection.weight.set_value(paddle.to_tensor(solved.astype(np.float32)))
