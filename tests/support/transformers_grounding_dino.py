"""Hugging Face `transformers`' Grounding DINO and MM Grounding DINO, with drawn weights, and what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file

from ovseg_core.grounding_dino.shape import Shape
from tests.support import small_grounding_dino


def original(shape: Shape) -> Any:
    """Return a network of transformers of this shape, with its own random weights."""
    sizes = {
        "backbone_config": transformers.SwinConfig(
            embed_dim=shape.swin_channels,
            depths=shape.swin_depths,
            num_heads=shape.swin_heads,
            window_size=shape.window,
            out_indices=[2, 3, 4],
        ),
        "text_config": transformers.BertConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.text_channels,
            num_hidden_layers=shape.text_depth,
            num_attention_heads=shape.text_heads,
            intermediate_size=shape.text_hidden,
            max_position_embeddings=shape.text_positions,
        ),
        "num_queries": shape.queries,
        "encoder_layers": shape.depth,
        "decoder_layers": shape.depth,
        "d_model": shape.channels,
        "encoder_attention_heads": shape.heads,
        "decoder_attention_heads": shape.heads,
        "encoder_ffn_dim": shape.hidden,
        "decoder_ffn_dim": shape.hidden,
        "encoder_n_points": shape.points,
        "decoder_n_points": shape.points,
    }
    if shape.is_mm:
        config = transformers.MMGroundingDinoConfig(
            **sizes, decoder_bbox_embed_share=False, decoder_cls_embed_share=False
        )
        return transformers.MMGroundingDinoForObjectDetection(config).eval()
    return transformers.GroundingDinoForObjectDetection(transformers.GroundingDinoConfig(**sizes)).eval()


def drawn(shape: Shape, folder: Path) -> tuple[Any, list[str]]:
    """Return a network with the weights of `small_grounding_dino.array`, and the names and shapes in its file."""
    net = original(shape)
    net.save_pretrained(folder)
    path = folder / "model.safetensors"
    with safe_open(path, "np") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    arrays = {name: small_grounding_dino.array(name, shape) for name, shape in shapes.items()}
    save_file(arrays, path, {"format": "pt"})
    names = [" ".join([name, *map(str, size)]) for name, size in sorted(shapes.items())]
    return type(net).from_pretrained(folder).eval(), names


def observed(net: Any, canvas: np.ndarray, image_hw: tuple[int, int], tokens: list[int]) -> dict[str, np.ndarray]:
    """Return what the network computes for a canvas with an image at its top left, and for tokens.

    The keys are "image" and "text" for the features before the fusion encoder, "fused_image" and "fused_text" for those
    after it, "scores" of the positions, and "logits" and "boxes" of the queries.
    """
    seen: dict[str, np.ndarray] = {}

    def note(module: Any, args: Any, given: dict[str, Any]) -> None:
        seen["image"], seen["text"] = given["vision_features"][0].numpy(), given["text_features"][0].numpy()

    net.model.encoder.register_forward_pre_hook(note, with_kwargs=True)
    mask = torch.zeros(1, *canvas.shape[2:], dtype=torch.long)
    mask[:, : image_hw[0], : image_hw[1]] = 1
    with torch.no_grad():
        outputs = net(torch.from_numpy(canvas), torch.tensor([tokens]), pixel_mask=mask)
    count = len(tokens)
    return seen | {
        "fused_image": outputs.encoder_last_hidden_state_vision[0].numpy(),
        "fused_text": outputs.encoder_last_hidden_state_text[0].numpy(),
        "scores": outputs.enc_outputs_class[0, :, :count].max(-1).values.numpy(),
        "logits": outputs.logits[0, :, :count].numpy(),
        "boxes": outputs.pred_boxes[0].numpy(),
    }


def with_exact_decoder(net: Any) -> Any:
    """Make the decoder and its heads compute in float64, from inputs that stay in float32. Return the network."""

    def widened(_: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return tuple(map(_wide, args)), {name: _wide(value) for name, value in given.items()}

    for module in (net.model.decoder, *net.class_embed, *net.bbox_embed):
        module.double().register_forward_pre_hook(widened, with_kwargs=True)
    return net


def _wide(value: Any) -> Any:
    is_float32 = isinstance(value, torch.Tensor) and value.dtype == torch.float32
    return value.double() if is_float32 else value
