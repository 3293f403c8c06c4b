"""Translate the parameter names of Hugging Face `transformers`' SamModel to Meta's names, which our layers use."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core.checkpoints.renaming import Rule

RULES: list[Rule] = [
    (r"vision_encoder\.patch_embed\.projection\.(.+)", r"image_encoder.patch_embed.proj.\1"),
    (r"vision_encoder\.pos_embed", r"image_encoder.pos_embed"),
    (r"vision_encoder\.layers\.(\d+)\.layer_norm(\d)\.(.+)", r"image_encoder.blocks.\1.norm\2.\3"),
    (r"vision_encoder\.layers\.(.+)", r"image_encoder.blocks.\1"),
    (r"vision_encoder\.neck\.conv1\.(.+)", r"image_encoder.neck.0.\1"),
    (r"vision_encoder\.neck\.layer_norm1\.(.+)", r"image_encoder.neck.1.\1"),
    (r"vision_encoder\.neck\.conv2\.(.+)", r"image_encoder.neck.2.\1"),
    (r"vision_encoder\.neck\.layer_norm2\.(.+)", r"image_encoder.neck.3.\1"),
    (r"shared_image_embedding\.positional_embedding", r"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"prompt_encoder\.shared_embedding\.positional_embedding", r""),  # a copy of the previous array
    (r"prompt_encoder\.point_embed\.(\d+)\.weight", r"prompt_encoder.point_embeddings.\1.weight"),
    (r"prompt_encoder\.mask_embed\.conv1\.(.+)", r"prompt_encoder.mask_downscaling.0.\1"),
    (r"prompt_encoder\.mask_embed\.layer_norm1\.(.+)", r"prompt_encoder.mask_downscaling.1.\1"),
    (r"prompt_encoder\.mask_embed\.conv2\.(.+)", r"prompt_encoder.mask_downscaling.3.\1"),
    (r"prompt_encoder\.mask_embed\.layer_norm2\.(.+)", r"prompt_encoder.mask_downscaling.4.\1"),
    (r"prompt_encoder\.mask_embed\.conv3\.(.+)", r"prompt_encoder.mask_downscaling.6.\1"),
    (
        r"mask_decoder\.transformer\.layers\.(\d+)\.layer_norm(\d)\.(.+)",
        r"mask_decoder.transformer.layers.\1.norm\2.\3",
    ),
    (r"mask_decoder\.transformer\.layer_norm_final_attn\.(.+)", r"mask_decoder.transformer.norm_final_attn.\1"),
    (r"mask_decoder\.upscale_conv1\.(.+)", r"mask_decoder.output_upscaling.0.\1"),
    (r"mask_decoder\.upscale_layer_norm\.(.+)", r"mask_decoder.output_upscaling.1.\1"),
    (r"mask_decoder\.upscale_conv2\.(.+)", r"mask_decoder.output_upscaling.3.\1"),
    (r"mask_decoder\.(.+)\.proj_in\.(.+)", r"mask_decoder.\1.layers.0.\2"),
    (r"mask_decoder\.(.+)\.proj_out\.(.+)", r"mask_decoder.\1.layers.2.\2"),
    (
        r"mask_decoder\.(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.0\.(.+)",
        r"mask_decoder.\1.layers.1.\2",
    ),
]


def has_its_names(arrays: Mapping[str, np.ndarray]) -> bool:
    """True if the arrays have the names of Hugging Face's SamModel, or of one of the models derived from it."""
    return "vision_encoder.pos_embed" in arrays
