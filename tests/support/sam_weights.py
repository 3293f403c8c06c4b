"""Small SAMs without a weights file: each array is drawn from a generator that is seeded with its name.

sam_reference.npz, mobile_sam_reference.npz, sam_hq_reference.npz and efficientvit_sam_reference.npz in tests/data have
the outputs of the authors' own implementations with these weights. `training/references.py` wrote them.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from ovseg_core.network import PromptBatch

CANVAS, CHANNELS, DEPTH, HEADS, WHOLE_GRID = 320, 48, 3, 3, (1,)  # a grid of 20: two windows of 14, the second padded
REFERENCE = Path(__file__).parents[1] / "data" / "sam_reference.npz"

# On the same canvas, the grids after the first stage are 40, 20 and 20: none is a multiple of its window of 7, 14 and
# 7.
TINY_CHANNELS, TINY_DEPTHS, TINY_HEADS, TINY_WINDOWS = (8, 16, 24, 32), (1, 2, 2, 1), (2, 3, 4), (7, 14, 7)
TINY_REFERENCE = Path(__file__).parents[1] / "data" / "mobile_sam_reference.npz"

HQ_REFERENCE = Path(__file__).parents[1] / "data" / "sam_hq_reference.npz"

# Each kind of block, with heads of 32 channels: channels, blocks after the first one, kind, expansion. From a canvas of
# half of the side, the last three grids are 20, 10 and 5.
EFFICIENT_STAGES = (
    (8, 1, "residual", 1),
    (8, 1, "fused", 1),
    (16, 1, "fused", 2),
    (16, 1, "inverted", 2),
    (32, 1, "attention", 2),
)
EFFICIENT_KINDS = {"residual": "res", "fused": "fmb", "inverted": "mb", "attention": "att"}  # the authors' words
EFFICIENT_NECK_EXPANSION = 1
EFFICIENT_REFERENCE = Path(__file__).parents[1] / "data" / "efficientvit_sam_reference.npz"

AS_DRAWN = ("embed.weight", "token.weight", "tokens.weight", "matrix", "attention_biases")  # suffixes of names


def _array(*rows: object) -> np.ndarray:
    return np.array(rows, np.float32)


def _blob(side: int) -> np.ndarray:
    """Return logits like those of an earlier answer: a disc."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    disc: np.ndarray = np.clip(8 - np.hypot(x - 0.3 * side, y - 0.4 * side), -6, 6)
    return disc


PROMPTS = {
    "box": PromptBatch(_array([20, 30, 200, 250], [0, 0, 320, 320])),
    "click": PromptBatch(None, _array([[100, 120]], [[300, 20]]), _array([1], [1])),
    "clicks": PromptBatch(None, _array([[100, 120], [40, 50], [200, 10]]), _array([1, 0, 1])),
    "box_clicks": PromptBatch(_array([20, 30, 200, 250]), _array([[100, 120], [40, 50]]), _array([1, 0])),
    "refined": PromptBatch(None, _array([[100, 120], [40, 50]]), _array([1, 0]), _blob(CANVAS // 4)[None]),
    "mask": PromptBatch(mask_inputs=_blob(CANVAS // 4)[None]),
    "box_refined": PromptBatch(_array([20, 30, 200, 250]), mask_inputs=_blob(CANVAS // 4)[None]),
}
MULTIMASK = ("box", "box_refined")  # the prompts whose masks 1 to 3 the reference has too


def canvas() -> np.ndarray:
    """Return (1, 3, CANVAS, CANVAS), smooth and not symmetric."""
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32) / CANVAS
    return np.stack([np.sin(9 * x + 4 * y), np.cos(5 * x * y + 7 * y), np.sin(20 * x) * y])[None].astype(np.float32)


def two_canvases() -> np.ndarray:
    """Return (2, 3, CANVAS, CANVAS): `canvas()`, and its mirror image."""
    return np.concatenate([canvas(), canvas()[..., ::-1]])


def array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the parameter of this name, in PyTorch's layout."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith(("bias", "running_mean")):
        drawn *= 0.1
    elif name.endswith("running_var"):
        drawn = np.exp(0.3 * drawn)
    elif len(shape) == 1:  # the gain of a norm
        drawn = 1 + 0.1 * drawn
    elif "rel_pos" in name or "pos_embed" in name:
        drawn *= 0.3
    elif not name.endswith(AS_DRAWN) and "embeddings" not in name:
        drawn *= 1.5 / np.sqrt(np.prod(shape[1:]))  # the weight of a layer
    return drawn.astype(np.float32)
