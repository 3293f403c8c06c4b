"""Rules for BERT's parameter names, which all publishers of Grounding DINO took from `transformers` or PaddleNLP."""

from __future__ import annotations

from ovseg_core.checkpoints.renaming import Rule

_OURS = r"text_encoder.layers.\1."


def bert(prefix: str) -> list[Rule]:
    """Return the rules for a BERT whose names begin with what the pattern `prefix` matches."""
    hugging_face, paddle_nlp = prefix + r"encoder\.layer\.(\d+)\.", prefix + r"encoder\.layers\.(\d+)\."
    return [
        (prefix + r"pooler\..+|" + prefix + r"embeddings\.(?:position_ids|token_type_ids)", r""),  # not used
        (prefix + r"embeddings\.word_embeddings\.(.+)", r"text_encoder.words.\1"),
        (prefix + r"embeddings\.position_embeddings\.(.+)", r"text_encoder.positions.\1"),
        (prefix + r"embeddings\.token_type_embeddings\.(.+)", r"text_encoder.kinds.\1"),
        (prefix + r"embeddings\.(?:LayerNorm|layer_norm)\.(.+)", r"text_encoder.norm.\1"),
        (hugging_face + r"attention\.self\.(.+)", _OURS + r"attention.\2"),
        (hugging_face + r"attention\.output\.dense\.(.+)", _OURS + r"attention.out.\2"),
        (hugging_face + r"attention\.output\.LayerNorm\.(.+)", _OURS + r"norm1.\2"),
        (hugging_face + r"intermediate\.dense\.(.+)", _OURS + r"wide.\2"),
        (hugging_face + r"output\.dense\.(.+)", _OURS + r"narrow.\2"),
        (hugging_face + r"output\.LayerNorm\.(.+)", _OURS + r"norm2.\2"),
        (paddle_nlp + r"self_attn\.q_proj\.(.+)", _OURS + r"attention.query.\2"),
        (paddle_nlp + r"self_attn\.k_proj\.(.+)", _OURS + r"attention.key.\2"),
        (paddle_nlp + r"self_attn\.v_proj\.(.+)", _OURS + r"attention.value.\2"),
        (paddle_nlp + r"self_attn\.out_proj\.(.+)", _OURS + r"attention.out.\2"),
        (paddle_nlp + r"linear1\.(.+)", _OURS + r"wide.\2"),
        (paddle_nlp + r"linear2\.(.+)", _OURS + r"narrow.\2"),
        (paddle_nlp + r"norm(\d)\.(.+)", _OURS + r"norm\2.\3"),
    ]
