"""A small Grounding DINO, a small MM-Grounding-DINO, and a small one with the windows of Grounding DINO B.

Each of their arrays is drawn as those of the small SAM, by its name in files of Hugging Face `transformers`:
`sam_weights`. tests/data/grounding_dino_reference.npz has the outputs of transformers with these weights, and the names
and shapes of the arrays. `training/references.py` wrote it. tests/data/grounding_dino_idea_reference.npz has the same
of IDEA's own network, with its names. `training/idea_grounding_dino.py` wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.engines import runners
from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino import checkpoint, levels, proposals, sine, text
from ovseg_core.grounding_dino.parts import ImageParts, TextParts
from ovseg_core.grounding_dino.shape import Shape
from tests.support import sam_weights

REFERENCE = Path(__file__).parents[1] / "data" / "grounding_dino_reference.npz"
IDEA_REFERENCE = Path(__file__).parents[1] / "data" / "grounding_dino_idea_reference.npz"

SHAPE = Shape(
    swin_channels=12,
    swin_depths=(2, 2, 2, 1),
    swin_heads=(1, 2, 3, 6),
    vocabulary=1100,
    text_channels=32,
    text_depth=2,
    text_heads=4,
    text_hidden=48,
    text_positions=256,
    channels=64,
    depth=2,
    heads=4,
    hidden=96,
    queries=20,
)
SHAPES = {
    "grounding_dino": SHAPE,
    "mm_grounding_dino": replace(SHAPE, is_mm=True),
    "grounding_dino_b": replace(SHAPE, swin_channels=8, swin_depths=(1, 1, 3, 1), swin_heads=(1, 2, 4, 8), window=12),
}
IDEA_SHAPE = replace(SHAPE, channels=256)  # IDEA's code has this number in some places

CANVAS_HW, IMAGE_HW = (96, 160), (83, 130)  # no grid is a multiple of the window, and some are smaller than it
PHRASES = ((7, 8, 9), (20,), (300, 301))  # as tokens; BERT's own numbers delimit them, see `tokens`


# The last layers of attention
OUT = tuple(
    f"{layer}.weight"
    for layer in ("out_proj", "output_proj", "attention.output.dense", "out_text_proj", "out_vision_proj", "o_proj")
)


def tokens() -> list[int]:
    """Return the tokens of the phrases: 101 and 102 begin and end a text, and a full stop, 1012, ends a phrase."""
    return [101, *(token for phrase in PHRASES for token in (*phrase, 1012)), 102]


def canvas() -> np.ndarray:
    """Return (1, 3, H, W) with the image at the top left, and zeros elsewhere."""
    drawn = np.zeros((1, 3, *CANVAS_HW), np.float32)
    height, width = IMAGE_HW
    drawn[:, :, :height, :width] = sam_weights.canvas()[:, :, :height, :width]
    return drawn


def array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the parameter of this name, in PyTorch's layout."""
    if name.endswith(
        ("level_embed", "query_position_embeddings.weight", "tgt_embed.weight", "relative_position_bias_table")
    ):
        return 0.5 * sam_weights.array("token.weight" + name, shape)  # not the weights of a layer
    if name.endswith("class_embed.bias") or "class_embed." in name:
        return np.full(shape, -1.5, np.float32)
    drawn = sam_weights.array(name, shape)
    if name.endswith(("enc_output.bias", "enc_output_norm.bias")):
        return -0.01 * drawn  # the scores of positions that propose nothing become low, and are not chosen
    if name.endswith(OUT):
        return 0.3 * drawn  # otherwise all tokens, and all positions, become alike in a deep network
    return drawn * 3 if name.endswith("sampling_offsets.bias") else drawn


def idea_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the parameter of this name in IDEA's files. The layers of the decoder share one box head."""
    name = re.sub(r"(?:transformer\.decoder\.)?bbox_embed\.\d", "bbox_embed.0", name)
    if name.endswith(("bbox_embed.0.layers.2.weight", "bbox_embed.layers.2.weight")):
        return 0.2 * sam_weights.array(name, shape)  # so that no box is at the edge, where transformers' boxes differ
    return array(name, shape)


def file(network: str, folder: Path) -> Path:
    """Write the weights with the names of Hugging Face `transformers`."""
    with np.load(REFERENCE) as reference:
        rows = [row.split() for row in reference[f"{network}_names"]]
    arrays = {name: array(name, tuple(map(int, shape))) for name, *shape in rows}
    save_file(arrays, folder / f"{network}.safetensors")
    return folder / f"{network}.safetensors"


def load(shape: Shape, weights: Path) -> tuple[ImageParts, TextParts]:
    """Return the layers with the weights of a file."""
    image, words = ImageParts(shape, CANVAS_HW), TextParts(shape)
    found = checkpoint.read(weights, shape)
    checkpoints.fill(image, checkpoint.image(found))
    checkpoints.fill(words, checkpoint.text(found))
    image.eval()
    words.eval()
    return image, words


def on(engine: str, shape: Shape, weights: Path) -> dict[str, Runner]:
    """Return the parts of a network on an engine."""
    image, words = load(shape, weights)
    return {
        **runners.on(engine, "small-image", weights, lambda _: image, "cpu", "float32"),
        **runners.on(engine, "small-text", weights, lambda _: words, "cpu", "float32"),
    }


def detected(run: Mapping[str, Runner], channels: int, queries: int) -> dict[str, np.ndarray]:
    """Return what the parts compute one after another, as in `detector.Detector`, by the names of the references."""
    asked, grid = text.of(PHRASES), levels.of(CANVAS_HW, IMAGE_HW, channels)
    [features] = run["encode"](canvas())
    [words] = run["text"](asked.tokens, asked.positions, asked.self_mask)
    image = (features[0], grid.embedding, grid.is_image, grid.references, grid.proposes)
    places = sine.embedding(asked.positions, channels)
    fused, fused_words, scores = run["fuse"](*image, words, places, asked.mask, asked.self_mask)
    chosen = proposals.chosen(scores, queries)
    of_chosen = (chosen.astype(np.float32), grid.proposals[chosen], grid.proposes[chosen])
    logits, boxes = run["decode"](fused, grid.is_image, grid.shares, *of_chosen, fused_words, asked.mask)
    found = {"image": features[0], "text": words, "fused_image": fused, "fused_text": fused_words, "scores": scores}
    return found | {"logits": logits, "boxes": boxes}
