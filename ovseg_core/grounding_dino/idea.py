"""Translate the parameter names of IDEA's Grounding DINO, which PaddleMIX uses too, to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ovseg_core.checkpoints.renaming import Rule
from ovseg_core.grounding_dino.bert_names import bert

MARK = "transformer.tgt_embed.weight"  # a name that only these files have

# Queries, keys and values are one array in these files.
JOINED = re.compile(r"(.+\.)(?:in_proj_|qkv\.)(weight|bias)")

_SWIN = r"backbone\.0\."
_BLOCK, _OUR_BLOCK = _SWIN + r"layers\.(\d)\.blocks\.(\d+)\.", r"image_encoder.swin.stages.\1.blocks.\2."
_ENCODER, _OUR_FUSION = r"transformer\.encoder\.", r"fusion.layers.\1."
_CROSS, _TEXT, _IMAGE = (
    _ENCODER + part for part in (r"fusion_layers\.(\d)\.", r"text_layers\.(\d)\.", r"layers\.(\d)\.")
)
_DECODER, _OUR_DECODER = r"transformer\.decoder\.layers\.(\d)\.", r"decoder.layers.\1."

IMAGE: list[Rule] = [
    (r".+\.relative_position_index|.+\.attn_mask", r""),  # computed
    (_SWIN + r"patch_embed\.proj\.(.+)", r"image_encoder.swin.patches.\1"),
    (_SWIN + r"patch_embed\.norm\.(.+)", r"image_encoder.swin.norm.\1"),
    (_SWIN + r"norm1\.(.+)", r"image_encoder.swin.norms.0.\1"),
    (_SWIN + r"norm2\.(.+)", r"image_encoder.swin.norms.1.\1"),
    (_SWIN + r"norm3\.(.+)", r"image_encoder.swin.norms.2.\1"),
    (_SWIN + r"layers\.(\d)\.downsample\.(.+)", r"image_encoder.swin.stages.\1.halving.\2"),
    (_BLOCK + r"attn\.relative_position_bias_table", _OUR_BLOCK + r"attention.bias"),
    (_BLOCK + r"attn\.proj\.(.+)", _OUR_BLOCK + r"attention.out.\3"),
    (_BLOCK + r"attn\.(.+)", _OUR_BLOCK + r"attention.\3"),
    (_BLOCK + r"mlp\.fc1\.(.+)", _OUR_BLOCK + r"wide.\3"),
    (_BLOCK + r"mlp\.fc2\.(.+)", _OUR_BLOCK + r"narrow.\3"),
    (_BLOCK + r"(.+)", _OUR_BLOCK + r"\3"),
    (r"input_proj\.(\d)\.0\.(.+)", r"image_encoder.projections.\1.conv.\2"),
    (r"input_proj\.(\d)\.1\.(.+)", r"image_encoder.projections.\1.norm.\2"),
]
FUSION: list[Rule] = [
    (r"transformer\.level_embed", r"fusion.level_embedding"),
    (_CROSS + r"layer_norm_v\.(.+)", _OUR_FUSION + r"image_norm.\2"),
    (_CROSS + r"layer_norm_l\.(.+)", _OUR_FUSION + r"text_norm.\2"),
    (_CROSS + r"gamma_v", _OUR_FUSION + r"image_scale"),
    (_CROSS + r"gamma_l", _OUR_FUSION + r"text_scale"),
    (_CROSS + r"attn\.v_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_query.\2"),
    (_CROSS + r"attn\.l_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_key.\2"),
    (_CROSS + r"attn\.values_v_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_value.\2"),
    (_CROSS + r"attn\.values_l_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_value.\2"),
    (_CROSS + r"attn\.out_v_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_out.\2"),
    (_CROSS + r"attn\.out_l_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_out.\2"),
    (_TEXT + r"self_attn\.out_proj\.(.+)", _OUR_FUSION + r"text_attention.out.\2"),
    (_TEXT + r"self_attn\.(.+)", _OUR_FUSION + r"text_attention.\2"),
    (_TEXT + r"norm1\.(.+)", _OUR_FUSION + r"text_attention_norm.\2"),
    (_TEXT + r"linear1\.(.+)", _OUR_FUSION + r"text_feed_forward.wide.\2"),
    (_TEXT + r"linear2\.(.+)", _OUR_FUSION + r"text_feed_forward.narrow.\2"),
    (_TEXT + r"norm2\.(.+)", _OUR_FUSION + r"text_feed_forward.norm.\2"),
    (_IMAGE + r"self_attn\.sampling_offsets\.(.+)", _OUR_FUSION + r"image_attention.offsets.\2"),
    (_IMAGE + r"self_attn\.attention_weights\.(.+)", _OUR_FUSION + r"image_attention.weights.\2"),
    (_IMAGE + r"self_attn\.value_proj\.(.+)", _OUR_FUSION + r"image_attention.value.\2"),
    (_IMAGE + r"self_attn\.output_proj\.(.+)", _OUR_FUSION + r"image_attention.out.\2"),
    (_IMAGE + r"norm1\.(.+)", _OUR_FUSION + r"image_attention_norm.\2"),
    (_IMAGE + r"linear1\.(.+)", _OUR_FUSION + r"image_feed_forward.wide.\2"),
    (_IMAGE + r"linear2\.(.+)", _OUR_FUSION + r"image_feed_forward.narrow.\2"),
    (_IMAGE + r"norm2\.(.+)", _OUR_FUSION + r"image_feed_forward.norm.\2"),
]
PROPOSALS: list[Rule] = [
    (r"transformer\.enc_output\.(.+)", r"proposals.out.\1"),
    (r"transformer\.enc_output_norm\.(.+)", r"proposals.norm.\1"),
    (r"transformer\.enc_out_bbox_embed\.(.+)", r"proposals.box.\1"),
]
DECODER: list[Rule] = [
    (r"transformer\.tgt_embed\.weight", r"decoder.queries"),
    (r"(?:transformer\.decoder\.)?bbox_embed\.(\d)\.(.+)", r"decoder.boxes.\1.\2"),  # a file has two copies
    (r"transformer\.decoder\.ref_point_head\.(.+)", r"decoder.place.\1"),
    (r"transformer\.decoder\.norm\.(.+)", r"decoder.norm.\1"),
    (_DECODER + r"self_attn\.out_proj\.(.+)", _OUR_DECODER + r"self_attention.out.\2"),
    (_DECODER + r"self_attn\.(.+)", _OUR_DECODER + r"self_attention.\2"),
    (_DECODER + r"norm2\.(.+)", _OUR_DECODER + r"self_norm.\2"),
    (_DECODER + r"ca_text\.out_proj\.(.+)", _OUR_DECODER + r"text_attention.out.\2"),
    (_DECODER + r"ca_text\.(.+)", _OUR_DECODER + r"text_attention.\2"),
    (_DECODER + r"catext_norm\.(.+)", _OUR_DECODER + r"text_norm.\2"),
    (_DECODER + r"cross_attn\.sampling_offsets\.(.+)", _OUR_DECODER + r"image_attention.offsets.\2"),
    (_DECODER + r"cross_attn\.attention_weights\.(.+)", _OUR_DECODER + r"image_attention.weights.\2"),
    (_DECODER + r"cross_attn\.value_proj\.(.+)", _OUR_DECODER + r"image_attention.value.\2"),
    (_DECODER + r"cross_attn\.output_proj\.(.+)", _OUR_DECODER + r"image_attention.out.\2"),
    (_DECODER + r"norm1\.(.+)", _OUR_DECODER + r"image_norm.\2"),
    (_DECODER + r"linear1\.(.+)", _OUR_DECODER + r"feed_forward.wide.\2"),
    (_DECODER + r"linear2\.(.+)", _OUR_DECODER + r"feed_forward.narrow.\2"),
    (_DECODER + r"norm3\.(.+)", _OUR_DECODER + r"feed_forward.norm.\2"),
]
TEXT: list[Rule] = [
    (r"label_enc\.weight", r""),  # used in the training; IDEA's published files contain it, IDEA's network does not
    *bert(r"bert\."),
    (r"feat_map\.(.+)", r"text_encoder.projection.\1"),
]
RULES = [*TEXT, *IMAGE, *FUSION, *PROPOSALS, *DECODER]


def split(arrays: Mapping[str, np.ndarray], linear_is_in_out: bool) -> dict[str, np.ndarray]:
    """Return the arrays with queries, keys and values apart, and without the prefix of a training on several GPUs."""
    found: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        name = name.removeprefix("module.")
        if joined := JOINED.fullmatch(name):
            parts = np.split(array, 3, axis=-1 if linear_is_in_out else 0)
            found |= {
                f"{joined[1]}{kind}.{joined[2]}": x for kind, x in zip(("query", "key", "value"), parts, strict=True)
            }
        else:
            found[name] = array
    return found
