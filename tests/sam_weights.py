"""Weights for a small SAM that need no file: each array is drawn from a generator seeded with its name.

`python tests/sam_weights.py` writes tests/data/sam_reference.npz with the answers of Meta's own implementation; it
needs `pip install torch segment-anything`.
"""

from __future__ import annotations

import sys
import types
import zlib
from pathlib import Path

import numpy as np

CANVAS, CHANNELS, DEPTH, HEADS, WHOLE_GRID = 320, 48, 3, 3, (1,)  # a grid of 20: two windows of 14, the second padded
REFERENCE = Path(__file__).parent / "data" / "sam_reference.npz"

PROMPTS: dict[str, tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]] = {
    "box": (np.array([[20, 30, 200, 250], [0, 0, 320, 320]], np.float32), None, None),
    "click": (None, np.array([[[100, 120]], [[300, 20]]], np.float32), np.array([[1], [1]], np.float32)),
    "clicks": (None, np.array([[[100, 120], [40, 50], [200, 10]]], np.float32), np.array([[1, 0, 1]], np.float32)),
    "box_clicks": (
        np.array([[20, 30, 200, 250]], np.float32),
        np.array([[[100, 120], [40, 50]]], np.float32),
        np.array([[1, 0]], np.float32),
    ),
}


def canvas() -> np.ndarray:
    """(1, 3, CANVAS, CANVAS), smooth and not symmetric."""
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32) / CANVAS
    return np.stack([np.sin(9 * x + 4 * y), np.cos(5 * x * y + 7 * y), np.sin(20 * x) * y])[None].astype(np.float32)


def array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The parameter of this name, in PyTorch's layout."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("bias"):
        drawn *= 0.1
    elif len(shape) == 1:  # a norm's gain
        drawn = 1 + 0.1 * drawn
    elif "rel_pos" in name or "pos_embed" in name:
        drawn *= 0.3
    elif not name.endswith(("embed.weight", "token.weight", "tokens.weight", "matrix")) and "embeddings" not in name:
        drawn *= 1.5 / np.sqrt(np.prod(shape[1:]))  # a layer's weight
    return drawn.astype(np.float32)


def main() -> None:
    for name in ("torchvision", "torchvision.ops", "torchvision.ops.boxes", "torchvision.transforms"):
        sys.modules[name] = types.ModuleType(name)  # imported by a part that is not used here
    sys.modules["torchvision.ops.boxes"].batched_nms = sys.modules["torchvision.ops.boxes"].box_area = None  # type: ignore[attr-defined]
    functional = sys.modules["torchvision.transforms.functional"] = types.ModuleType("functional")
    functional.resize = functional.to_pil_image = None  # type: ignore[attr-defined]
    from functools import partial

    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
    from segment_anything.modeling import Sam as MetaSam

    grid = CANVAS // 16
    encoder = ImageEncoderViT(
        img_size=CANVAS,
        embed_dim=CHANNELS,
        depth=DEPTH,
        num_heads=HEADS,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        global_attn_indexes=WHOLE_GRID,
        window_size=14,
        use_rel_pos=True,
    )
    decoder = MaskDecoder(transformer_dim=256, transformer=TwoWayTransformer(2, 256, 8, 2048))
    sam = MetaSam(encoder, PromptEncoder(256, (grid, grid), (CANVAS, CANVAS), 16), decoder)
    names = [name for name in sam.state_dict() if not name.startswith("pixel_")]
    state = {name: torch.from_numpy(array(name, tuple(sam.state_dict()[name].shape))) for name in names}
    sam.load_state_dict(state, strict=False)
    answers: dict[str, np.ndarray] = {"names": np.array(sorted(names))}
    with torch.no_grad():
        embedding = sam.image_encoder(torch.from_numpy(canvas()))
        answers["embedding"] = embedding[0, ::8].numpy()
        for kind, (boxes, points, labels) in PROMPTS.items():
            given = None if points is None else (torch.from_numpy(points), torch.from_numpy(labels))
            sparse, dense = sam.prompt_encoder(given, None if boxes is None else torch.from_numpy(boxes), None)
            for multimask, part in ((False, "one"), (True, "three")):
                logits, iou = sam.mask_decoder(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask)
                answers[f"{kind}_{part}"], answers[f"{kind}_{part}_iou"] = logits[:, :, ::2, ::2].numpy(), iou.numpy()
    np.savez_compressed(REFERENCE, **answers)


if __name__ == "__main__":
    main()
