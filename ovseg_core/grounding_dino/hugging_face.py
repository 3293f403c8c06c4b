"""Translate the parameter names of Hugging Face `transformers`' Grounding DINO and MM Grounding DINO to ours."""

from __future__ import annotations

from ovseg_core.checkpoints.renaming import Rule
from ovseg_core.grounding_dino.bert_names import bert

MARK = "model.query_position_embeddings.weight"  # a name that only these files have

_SWIN = r"model\.backbone\.conv_encoder\.model\."
_BLOCK = _SWIN + r"encoder\.layers\.(\d)\.blocks\.(\d+)\."
_OUR_BLOCK = r"image_encoder.swin.stages.\1.blocks.\2."
_FUSION, _OUR_FUSION = r"model\.encoder\.layers\.(\d)\.", r"fusion.layers.\1."
_DECODER, _OUR_DECODER = r"model\.decoder\.layers\.(\d)\.", r"decoder.layers.\1."

IMAGE: list[Rule] = [
    (_SWIN + r"swin\.layernorm\..+|.+\.relative_position_index", r""),  # not used; computed
    (_SWIN + r"embeddings\.patch_embeddings\.projection\.(.+)", r"image_encoder.swin.patches.\1"),
    (_SWIN + r"embeddings\.norm\.(.+)", r"image_encoder.swin.norm.\1"),
    (_SWIN + r"hidden_states_norms\.stage2\.(.+)", r"image_encoder.swin.norms.0.\1"),
    (_SWIN + r"hidden_states_norms\.stage3\.(.+)", r"image_encoder.swin.norms.1.\1"),
    (_SWIN + r"hidden_states_norms\.stage4\.(.+)", r"image_encoder.swin.norms.2.\1"),
    (_SWIN + r"encoder\.layers\.(\d)\.downsample\.(.+)", r"image_encoder.swin.stages.\1.halving.\2"),
    (_BLOCK + r"attention\.self\.relative_position_bias_table", _OUR_BLOCK + r"attention.bias"),
    (_BLOCK + r"attention\.self\.(.+)", _OUR_BLOCK + r"attention.\3"),
    (_BLOCK + r"attention\.output\.dense\.(.+)", _OUR_BLOCK + r"attention.out.\3"),
    (_BLOCK + r"layernorm_before\.(.+)", _OUR_BLOCK + r"norm1.\3"),
    (_BLOCK + r"layernorm_after\.(.+)", _OUR_BLOCK + r"norm2.\3"),
    (_BLOCK + r"intermediate\.dense\.(.+)", _OUR_BLOCK + r"wide.\3"),
    (_BLOCK + r"output\.dense\.(.+)", _OUR_BLOCK + r"narrow.\3"),
    (r"model\.input_proj_vision\.(\d)\.0\.(.+)", r"image_encoder.projections.\1.conv.\2"),
    (r"model\.input_proj_vision\.(\d)\.1\.(.+)", r"image_encoder.projections.\1.norm.\2"),
]
FUSION: list[Rule] = [
    (r"model\.level_embed", r"fusion.level_embedding"),
    (_FUSION + r"fusion_layer\.layer_norm_vision\.(.+)", _OUR_FUSION + r"image_norm.\2"),
    (_FUSION + r"fusion_layer\.layer_norm_text\.(.+)", _OUR_FUSION + r"text_norm.\2"),
    (_FUSION + r"fusion_layer\.vision_param", _OUR_FUSION + r"image_scale"),
    (_FUSION + r"fusion_layer\.text_param", _OUR_FUSION + r"text_scale"),
    (_FUSION + r"fusion_layer\.attn\.vision_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_query.\2"),
    (_FUSION + r"fusion_layer\.attn\.text_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_key.\2"),
    (_FUSION + r"fusion_layer\.attn\.values_vision_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_value.\2"),
    (_FUSION + r"fusion_layer\.attn\.values_text_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_value.\2"),
    (_FUSION + r"fusion_layer\.attn\.out_vision_proj\.(.+)", _OUR_FUSION + r"cross_attention.image_out.\2"),
    (_FUSION + r"fusion_layer\.attn\.out_text_proj\.(.+)", _OUR_FUSION + r"cross_attention.text_out.\2"),
    (_FUSION + r"text_enhancer_layer\.self_attn\.out_proj\.(.+)", _OUR_FUSION + r"text_attention.out.\2"),
    (_FUSION + r"text_enhancer_layer\.self_attn\.(.+)", _OUR_FUSION + r"text_attention.\2"),
    (_FUSION + r"text_enhancer_layer\.layer_norm_before\.(.+)", _OUR_FUSION + r"text_attention_norm.\2"),
    (_FUSION + r"text_enhancer_layer\.fc1\.(.+)", _OUR_FUSION + r"text_feed_forward.wide.\2"),
    (_FUSION + r"text_enhancer_layer\.fc2\.(.+)", _OUR_FUSION + r"text_feed_forward.narrow.\2"),
    (_FUSION + r"text_enhancer_layer\.layer_norm_after\.(.+)", _OUR_FUSION + r"text_feed_forward.norm.\2"),
    (_FUSION + r"deformable_layer\.self_attn\.sampling_offsets\.(.+)", _OUR_FUSION + r"image_attention.offsets.\2"),
    (_FUSION + r"deformable_layer\.self_attn\.attention_weights\.(.+)", _OUR_FUSION + r"image_attention.weights.\2"),
    (_FUSION + r"deformable_layer\.self_attn\.value_proj\.(.+)", _OUR_FUSION + r"image_attention.value.\2"),
    (_FUSION + r"deformable_layer\.self_attn\.output_proj\.(.+)", _OUR_FUSION + r"image_attention.out.\2"),
    (_FUSION + r"deformable_layer\.self_attn_layer_norm\.(.+)", _OUR_FUSION + r"image_attention_norm.\2"),
    (_FUSION + r"deformable_layer\.fc1\.(.+)", _OUR_FUSION + r"image_feed_forward.wide.\2"),
    (_FUSION + r"deformable_layer\.fc2\.(.+)", _OUR_FUSION + r"image_feed_forward.narrow.\2"),
    (_FUSION + r"deformable_layer\.final_layer_norm\.(.+)", _OUR_FUSION + r"image_feed_forward.norm.\2"),
]
PROPOSALS: list[Rule] = [
    (r"model\.enc_output\.(.+)", r"proposals.out.\1"),
    (r"model\.enc_output_norm\.(.+)", r"proposals.norm.\1"),
    (r"model\.encoder_output_bbox_embed\.(.+)", r"proposals.box.\1"),
    (r"model\.encoder_output_class_embed\.(.+)", r"proposals.contrast.\1"),
]
DECODER: list[Rule] = [
    (r"model\.query_position_embeddings\.weight", r"decoder.queries"),
    (r"(?:model\.decoder\.)?bbox_embed\.(\d)\.(.+)", r"decoder.boxes.\1.\2"),  # a file has one or two copies
    (r"(?:model\.decoder\.)?class_embed\.(\d)\.bias", r"decoder.contrast.bias.\1"),
    (r"model\.decoder\.reference_points_head\.(.+)", r"decoder.place.\1"),
    (r"model\.decoder\.layer_norm\.(.+)", r"decoder.norm.\1"),
    (_DECODER + r"self_attn\.out_proj\.(.+)", _OUR_DECODER + r"self_attention.out.\2"),
    (_DECODER + r"self_attn\.(.+)", _OUR_DECODER + r"self_attention.\2"),
    (_DECODER + r"self_attn_layer_norm\.(.+)", _OUR_DECODER + r"self_norm.\2"),
    (_DECODER + r"encoder_attn_text\.out_proj\.(.+)", _OUR_DECODER + r"text_attention.out.\2"),
    (_DECODER + r"encoder_attn_text\.(.+)", _OUR_DECODER + r"text_attention.\2"),
    (_DECODER + r"encoder_attn_text_layer_norm\.(.+)", _OUR_DECODER + r"text_norm.\2"),
    (_DECODER + r"encoder_attn\.sampling_offsets\.(.+)", _OUR_DECODER + r"image_attention.offsets.\2"),
    (_DECODER + r"encoder_attn\.attention_weights\.(.+)", _OUR_DECODER + r"image_attention.weights.\2"),
    (_DECODER + r"encoder_attn\.value_proj\.(.+)", _OUR_DECODER + r"image_attention.value.\2"),
    (_DECODER + r"encoder_attn\.output_proj\.(.+)", _OUR_DECODER + r"image_attention.out.\2"),
    (_DECODER + r"encoder_attn_layer_norm\.(.+)", _OUR_DECODER + r"image_norm.\2"),
    (_DECODER + r"fc1\.(.+)", _OUR_DECODER + r"feed_forward.wide.\2"),
    (_DECODER + r"fc2\.(.+)", _OUR_DECODER + r"feed_forward.narrow.\2"),
    (_DECODER + r"final_layer_norm\.(.+)", _OUR_DECODER + r"feed_forward.norm.\2"),
]
RULES = [
    *bert(r"model\.text_backbone\."),
    (r"model\.text_projection\.(.+)", r"text_encoder.projection.\1"),
    *IMAGE,
    *FUSION,
    *PROPOSALS,
    *DECODER,
]
