"""Translate the parameter names of Hugging Face `transformers`' SamHQModel to the authors' names, which we use."""

from __future__ import annotations

from ovseg_core.checkpoints.renaming import Rule
from ovseg_core.sam import hugging_face

RULES: list[Rule] = [
    (r"mask_decoder\.hq_token\.(.+)", r"mask_decoder.hf_token.\1"),
    (r"mask_decoder\.hq_mask_mlp\.proj_in\.(.+)", r"mask_decoder.hf_mlp.layers.0.\1"),
    (r"mask_decoder\.hq_mask_mlp\.layers\.0\.(.+)", r"mask_decoder.hf_mlp.layers.1.\1"),
    (r"mask_decoder\.hq_mask_mlp\.proj_out\.(.+)", r"mask_decoder.hf_mlp.layers.2.\1"),
    (r"mask_decoder\.compress_vit_conv1\.(.+)", r"mask_decoder.compress_vit_feat.0.\1"),
    (r"mask_decoder\.compress_vit_norm\.(.+)", r"mask_decoder.compress_vit_feat.1.\1"),
    (r"mask_decoder\.compress_vit_conv2\.(.+)", r"mask_decoder.compress_vit_feat.3.\1"),
    (r"mask_decoder\.encoder_conv1\.(.+)", r"mask_decoder.embedding_encoder.0.\1"),
    (r"mask_decoder\.encoder_norm\.(.+)", r"mask_decoder.embedding_encoder.1.\1"),
    (r"mask_decoder\.encoder_conv2\.(.+)", r"mask_decoder.embedding_encoder.3.\1"),
    (r"mask_decoder\.mask_conv1\.(.+)", r"mask_decoder.embedding_maskfeature.0.\1"),
    (r"mask_decoder\.mask_norm\.(.+)", r"mask_decoder.embedding_maskfeature.1.\1"),
    (r"mask_decoder\.mask_conv2\.(.+)", r"mask_decoder.embedding_maskfeature.3.\1"),
    *hugging_face.RULES,
]
