"""Translate the parameter names of Hugging Face `transformers`' Sam2Model and Sam2VideoModel to those of our layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core.checkpoints.renaming import Rule, renamed
from ovseg_core.sam import hugging_face

POINTS = "prompt_encoder.point_embed.weight"  # one array; Meta's files and our layers have an array for each label

# The weights that only videos need are dropped. What SAM has too is translated by SAM's rules.
RULES: list[Rule] = [
    (r"(memory_.+|mask_downsample|object_pointer_proj|temporal_positional_encoding_projection_layer)\..+", r""),
    (r"memory_temporal_positional_encoding|no_memory_positional_encoding|no_object_pointer", r""),
    (r"occlusion_spatial_embedding_parameter|mask_decoder\.pred_obj_score_head\..+", r""),
    (r"no_memory_embedding", r"image_encoder.neck.no_mem_embed"),
    (r"mask_decoder\.conv_(s\d\..+)", r"image_encoder.neck.conv_\1"),
    (r"vision_encoder\.neck\.convs\.(\d)\.(.+)", r"image_encoder.neck.convs.\1.conv.\2"),
    (r"vision_encoder\.backbone\.patch_embed\.projection\.(.+)", r"image_encoder.trunk.patch_embed.proj.\1"),
    (r"vision_encoder\.backbone\.blocks\.(\d+)\.layer_norm(\d)\.(.+)", r"image_encoder.trunk.blocks.\1.norm\2.\3"),
    (r"vision_encoder\.backbone\.blocks\.(\d+)\.mlp\.proj_in\.(.+)", r"image_encoder.trunk.blocks.\1.mlp.layers.0.\2"),
    (r"vision_encoder\.backbone\.blocks\.(\d+)\.mlp\.proj_out\.(.+)", r"image_encoder.trunk.blocks.\1.mlp.layers.1.\2"),
    (r"vision_encoder\.backbone\.(.+)", r"image_encoder.trunk.\1"),
    (r"(mask_decoder\.transformer\.layers\.\d\.mlp)\.proj_in\.(.+)", r"\1.lin1.\2"),
    (r"(mask_decoder\.transformer\.layers\.\d\.mlp)\.proj_out\.(.+)", r"\1.lin2.\2"),
]
LAST_RULES: list[Rule] = [(r"(mask_decoder\.transformer\..+)\.o_proj\.(.+)", r"\1.out_proj.\2")]


def has_its_names(arrays: Mapping[str, np.ndarray]) -> bool:
    """True if the arrays have the names of Hugging Face's Sam2Model or Sam2VideoModel."""
    return POINTS in arrays


def translated(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with the names of our layers."""
    found = renamed(renamed(arrays, [*RULES, *hugging_face.RULES]), LAST_RULES)
    for label, embedding in enumerate(found.pop(POINTS)):
        found[f"prompt_encoder.point_embeddings.{label}.weight"] = embedding[None]
    return found
