"""Read public checkpoints of SAM 2.1, with the parameter names of our layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.checkpoints.renaming import Rule, renamed
from ovseg_core.sam2 import hugging_face

# From Meta's names to those of our layers. The weights that only videos need are dropped.
RULES: list[Rule] = [
    (r"(memory_attention|memory_encoder|mask_downsample|obj_ptr_proj|obj_ptr_tpos_proj)\..+", r""),
    (r"maskmem_tpos_enc|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial", r""),
    (r"sam_mask_decoder\.pred_obj_score_head\..+", r""),
    (r"no_mem_embed", r"image_encoder.neck.no_mem_embed"),
    (r"sam_mask_decoder\.conv_(s\d\..+)", r"image_encoder.neck.conv_\1"),
    (
        r"sam_mask_decoder\.transformer\.layers\.(\d)\.mlp\.layers\.0\.(.+)",
        r"mask_decoder.transformer.layers.\1.mlp.lin1.\2",
    ),
    (
        r"sam_mask_decoder\.transformer\.layers\.(\d)\.mlp\.layers\.1\.(.+)",
        r"mask_decoder.transformer.layers.\1.mlp.lin2.\2",
    ),
    (r"sam_(mask_decoder|prompt_encoder)\.(.+)", r"\1.\2"),
]


def read(path: Path) -> Checkpoint:
    """Read the weights from a file with Meta's names or those of Hugging Face `transformers`.

    Raises what `checkpoints.read` raises.
    """
    found = checkpoints.read(path)
    if hugging_face.has_its_names(found.arrays):
        return replace(found, arrays=hugging_face.translated(found.arrays))
    return replace(found, arrays=renamed(found.arrays, RULES))
