"""IDEA's Grounding DINO, of PyPI's `groundingdino-py`, with drawn weights, and what it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import groundingdino
import numpy as np
import torch
from groundingdino.models.GroundingDINO import groundingdino as idea
from groundingdino.models.GroundingDINO.backbone import backbone
from groundingdino.models.GroundingDINO.backbone.swin_transformer import SwinTransformer
from groundingdino.util.misc import NestedTensor
from groundingdino.util.slconfig import SLConfig
from transformers import BatchEncoding, BertConfig, BertModel

from ovseg_core.grounding_dino.shape import Shape
from tests.support import small_grounding_dino

CONFIGS = Path(groundingdino.__file__).parent / "config"
COMPUTED = "relative_position_index"  # the end of the names of arrays that are not weights


class Tokenizer:
    """Has the same tokens for any text."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens

    def convert_tokens_to_ids(self, names: list[str]) -> list[int]:
        return [101, 102, 1012, 1029]

    def __call__(self, *texts: object, **options: object) -> BatchEncoding:
        tokens = torch.tensor([self._tokens])
        kinds, mask = torch.zeros_like(tokens), torch.ones_like(tokens)
        return BatchEncoding({"input_ids": tokens, "token_type_ids": kinds, "attention_mask": mask})


def original(shape: Shape, tokens: list[int]) -> Any:
    """Return IDEA's network of this shape, with a tokenizer that always has these tokens.

    Only sizes are changed, where IDEA's code allows.
    """
    bert = BertModel(
        BertConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.text_channels,
            num_hidden_layers=shape.text_depth,
            num_attention_heads=shape.text_heads,
            intermediate_size=shape.text_hidden,
            max_position_embeddings=shape.text_positions,
            attn_implementation="eager",
        )
    )
    idea.get_tokenlizer.get_tokenlizer = lambda name: Tokenizer(tokens)
    idea.get_tokenlizer.get_pretrained_language_model = lambda name: bert
    sizes = {"embed_dim": shape.swin_channels, "depths": shape.swin_depths, "num_heads": shape.swin_heads}
    backbone.build_swin_transformer = lambda *names, **given: SwinTransformer(
        **sizes, window_size=shape.window, out_indices=(1, 2, 3), drop_path_rate=0.0
    )
    options = SLConfig.fromfile(str(CONFIGS / "GroundingDINO_SwinT_OGC.py"))
    options.enc_layers = options.dec_layers = shape.depth
    options.dim_feedforward, options.nheads, options.num_queries = shape.hidden, shape.heads, shape.queries
    options.use_checkpoint = options.use_transformer_ckpt = False
    return idea.build_groundingdino(options).eval()


def drawn(shape: Shape, tokens: list[int]) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """Return a network with the weights of `small_grounding_dino.idea_array`, and the shape of each of its arrays."""
    net = original(shape, tokens)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    arrays = {
        name: torch.from_numpy(small_grounding_dino.idea_array(name, size))
        for name, size in shapes.items()
        if not name.endswith(COMPUTED)
    }
    net.load_state_dict(arrays, strict=False)
    return net, shapes


def save(net: Any, path: Path) -> None:
    """Write a file as IDEA published them: names with a prefix, and an array that only the training uses."""
    arrays = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"model": {**arrays, "module.label_enc.weight": torch.zeros(2001, 256)}}, path)


def observed(net: Any, canvas: np.ndarray, image_hw: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return what the network computes for a canvas with an image at its top left.

    The keys are those of `transformers_grounding_dino.observed`.
    """
    seen: dict[str, Any] = {}

    def note_encoder(module: Any, given: Any, options: dict[str, Any], output: Any) -> None:
        seen.update(image=given[0], text=options["memory_text"], fused_image=output[0], fused_text=output[1])

    def note_scores(module: Any, given: Any, output: Any) -> None:
        seen["scores"] = output.max(-1).values

    net.transformer.encoder.register_forward_hook(note_encoder, with_kwargs=True)
    net.transformer.enc_out_class_embed.register_forward_hook(note_scores)
    is_padding = torch.ones(1, *canvas.shape[2:], dtype=torch.bool)
    is_padding[:, : image_hw[0], : image_hw[1]] = False
    with torch.no_grad():
        outputs = net(NestedTensor(torch.from_numpy(canvas), is_padding), captions=["any text"])
    count = seen["text"].shape[1]
    found = {name: value[0].numpy() for name, value in seen.items()}
    return found | {
        "logits": outputs["pred_logits"][0, :, :count].numpy(),
        "boxes": outputs["pred_boxes"][0].numpy(),
    }
