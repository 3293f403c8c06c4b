"""`python -m training.idea_grounding_dino`: write the outputs of IDEA's Grounding DINO to tests/data, for our tests.

Needs an environment of its own: `pip install groundingdino-py torchvision "transformers<5"`, and what ovseg needs
without its extras.
"""

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

from tests.support import small_grounding_dino
from tests.support.small_grounding_dino import CANVAS_HW, IDEA_SHAPE, IMAGE_HW


class Tokenizer:
    """Has the tokens of the small network's phrases for any text."""

    def convert_tokens_to_ids(self, names: list[str]) -> list[int]:
        return [101, 102, 1012, 1029]

    def __call__(self, *texts: object, **options: object) -> BatchEncoding:
        tokens = torch.tensor([small_grounding_dino.tokens()])
        kinds, mask = torch.zeros_like(tokens), torch.ones_like(tokens)
        return BatchEncoding({"input_ids": tokens, "token_type_ids": kinds, "attention_mask": mask})


def network() -> Any:
    """Return IDEA's network in the small size. Only its sizes are changed, where IDEA's code allows."""
    shape = IDEA_SHAPE
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
    idea.get_tokenlizer.get_tokenlizer = lambda name: Tokenizer()
    idea.get_tokenlizer.get_pretrained_language_model = lambda name: bert
    sizes = {"embed_dim": shape.swin_channels, "depths": shape.swin_depths, "num_heads": shape.swin_heads}
    backbone.build_swin_transformer = lambda *names, **given: SwinTransformer(
        **sizes, window_size=shape.window, out_indices=(1, 2, 3), drop_path_rate=0.0
    )
    options = SLConfig.fromfile(str(Path(groundingdino.__file__).parent / "config" / "GroundingDINO_SwinT_OGC.py"))
    options.enc_layers = options.dec_layers = shape.depth
    options.dim_feedforward, options.nheads, options.num_queries = shape.hidden, shape.heads, shape.queries
    options.use_checkpoint = options.use_transformer_ckpt = False
    return idea.build_groundingdino(options).eval()


@torch.no_grad()
def main() -> None:
    net = network()
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    drawn = {
        name: torch.from_numpy(small_grounding_dino.idea_array(name, shape))
        for name, shape in shapes.items()
        if not name.endswith("relative_position_index")
    }
    net.load_state_dict(drawn, strict=False)
    is_padding = torch.ones(1, *CANVAS_HW, dtype=torch.bool)
    is_padding[:, : IMAGE_HW[0], : IMAGE_HW[1]] = False
    samples = NestedTensor(torch.from_numpy(small_grounding_dino.canvas()), is_padding)
    outputs = net(samples, captions=["any text"])
    np.savez_compressed(
        small_grounding_dino.IDEA_REFERENCE,
        names=np.array([" ".join([name, *map(str, shape)]) for name, shape in shapes.items()]),
        logits=outputs["pred_logits"][0, :, : len(small_grounding_dino.tokens())].numpy(),
        boxes=outputs["pred_boxes"][0].numpy(),
    )


if __name__ == "__main__":
    main()
