"""`python -m training references`: write the outputs of the original implementations to tests/data, for our tests.

Needs the group `training` and `pip install --no-deps segment-anything segment-anything-hq efficientsam
git+https://github.com/ChaoningZhang/MobileSAM`; for SAM 2, `pip install torchvision sam2` with the torchvision that
belongs to the torch; for Grounding DINO, `pip install transformers`, version 5 (`idea_grounding_dino.py` writes another
reference, with an older version).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ovseg_core import canvas, models
from ovseg_core.canvas import Frame
from ovseg_core.efficientvit_sam.image_encoder import StageShape
from ovseg_core.lite.shape import CANDIDATES, CANVAS, COARSE_STRIDE, REGION
from ovseg_core.network import PromptBatch
from tests.support import lite_prompts, originals, sam_weights, small_grounding_dino, small_sam2
from training.geometry import boxes_of, region_maps, region_of, sampled
from training.network import SamLite


def write_all() -> None:
    for path, ask in (
        (lite_prompts.REFERENCE, lite),
        (sam_weights.REFERENCE, sam),
        (sam_weights.TINY_REFERENCE, mobile_sam),
        (sam_weights.HQ_REFERENCE, sam_hq),
        (sam_weights.EFFICIENT_REFERENCE, efficientvit_sam),
        (small_sam2.REFERENCE, sam2),
        (small_grounding_dino.REFERENCE, grounding_dino),
    ):
        np.savez_compressed(path, **ask())
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


@torch.no_grad()
def lite() -> dict[str, np.ndarray]:
    """Return the outputs of SAM-Lite in torch, with the shipped weights, on the demo's photo."""
    spec = models.find("SAM-Lite")
    net = as_shipped(spec.weights)
    photo = cv2.cvtColor(cv2.imread(str(lite_prompts.PHOTO)), cv2.COLOR_BGR2RGB)
    pixels = canvas.draw(photo, Frame(photo.shape[:2], CANVAS), spec.preset.mean, spec.preset.std)
    maps = net.image_encoder(torch.from_numpy(pixels))
    answers = {f"map{i}": m[0, ::8, ::4, ::4].numpy() for i, m in enumerate(maps)}
    for kind, (boxes, points, labels, *_) in lite_prompts.PROMPTS.items():
        logits, iou = decoded(net, maps, *(None if x is None else torch.from_numpy(x) for x in (boxes, points, labels)))
        answers[f"{kind}_logits"], answers[f"{kind}_iou"] = logits[:, ::2, ::2].numpy(), iou.numpy()
    return answers


def decoded(
    net: SamLite, maps: list[Tensor], boxes: Tensor | None, points: Tensor | None, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Decode prompts.

    For boxes, return logits (N, 64, 64) and predicted IoU (N,). For clicks, return logits (3 * N, 64, 64) and IoU (N,
    3).
    """
    if boxes is not None:
        count = len(boxes)
        if points is None or labels is None:
            points, labels = torch.zeros(count, 1, 2), torch.full((count, 1), -1.0)
        around = region_of(boxes)
        drawn = region_maps(around, boxes, points, labels, None)
        return net.mask_head(maps, torch.zeros(count, dtype=torch.long), around, drawn)
    assert points is not None
    assert labels is not None
    coarse, iou = net.locator(maps, torch.zeros(len(points), dtype=torch.long), points, labels)
    coarse = coarse.flatten(0, 1)
    points, labels = points.repeat_interleave(CANDIDATES, 0), labels.repeat_interleave(CANDIDATES, 0)
    around = region_of(boxes_of(coarse, points, labels))
    probability = torch.sigmoid(coarse)[:, None]
    seen = sampled(probability, COARSE_STRIDE, torch.arange(len(coarse)), around, REGION, COARSE_STRIDE / 2)
    drawn = region_maps(around, None, points, labels, seen)
    logits, _ = net.mask_head(maps, torch.zeros(len(coarse), dtype=torch.long), around, drawn)
    return logits, iou


def as_shipped(weights: Path) -> SamLite:
    """Return the network with the folded weights of a file. Its norms are replaced by identities."""
    net = SamLite()
    arrays = {name: value.float() for name, value in load_file(weights).items()}
    for name, module in net.named_modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0].bias = nn.Parameter(torch.zeros(module[0].out_channels))
            module[1] = nn.Identity()
            for kind in ("weight", "bias"):
                arrays[f"{name}.0.{kind}"] = arrays.pop(f"{name}.{kind}")
    net.load_state_dict(arrays)
    return net.eval()


@torch.no_grad()
def sam() -> dict[str, np.ndarray]:
    """Return the outputs of Meta's SAM, a small one, with the weights of tests/support/sam_weights.py."""
    with originals.importable():
        from segment_anything import modeling

    net = _small(modeling, modeling.MaskDecoder(transformer_dim=256, transformer=_transformer(modeling)))
    embedding = net.image_encoder(torch.from_numpy(sam_weights.canvas()))
    names = [name for name in net.state_dict() if not name.startswith("pixel_")]
    answers = {"names": np.array(sorted(names)), "embedding": embedding[0, ::8].numpy()}
    for kind, sparse, dense in _encoded_prompts(net):
        place = net.prompt_encoder.get_dense_pe()
        wanted = {kind: kind == "click"} | ({f"{kind}_multimask": True} if kind in sam_weights.MULTIMASK else {})
        for name, multimask in wanted.items():
            logits, iou = net.mask_decoder(embedding, place, sparse, dense, multimask_output=multimask)
            answers[f"{name}_logits"], answers[f"{name}_iou"] = logits[:, :, ::2, ::2].numpy(), iou.numpy()
    return answers


@torch.no_grad()
def sam_hq() -> dict[str, np.ndarray]:
    """Return the outputs of the authors' SAM-HQ, a small one, with the weights of tests/support/sam_weights.py.

    For the click these are all three candidates; the authors' decoder returns the one with the highest predicted IoU.
    """
    with originals.importable():
        from segment_anything_hq import modeling

    channels = sam_weights.CHANNELS
    decoder = modeling.MaskDecoderHQ(transformer_dim=256, transformer=_transformer(modeling), vit_dim=channels)
    net = _small(modeling, decoder)
    embedding, early = net.image_encoder(torch.from_numpy(sam_weights.canvas()))
    features = decoder.embedding_encoder(embedding) + decoder.compress_vit_feat(early[0].permute(0, 3, 1, 2))
    names = [name for name in net.state_dict() if not name.startswith("pixel_")]
    answers = {"names": np.array(sorted(names)), "hq_features": features[0, ::4, ::4, ::4].numpy()}
    for kind, sparse, dense in _encoded_prompts(net):
        masks, iou = decoder.predict_masks(embedding, net.prompt_encoder.get_dense_pe(), sparse, dense, features)
        of_sam = slice(1, 4) if kind == "click" else slice(0, 1)
        logits = masks[:, of_sam] + masks[:, 4:]
        answers[f"{kind}_logits"], answers[f"{kind}_iou"] = logits[:, :, ::4, ::4].numpy(), iou[:, of_sam].numpy()
    return answers


def _transformer(modeling: ModuleType) -> nn.Module:
    transformer: nn.Module = modeling.TwoWayTransformer(2, 256, 8, 2048)
    return transformer


def _small(modeling: ModuleType, decoder: nn.Module) -> Any:
    """Return a small SAM with this decoder, in Meta's layers or in those of a package that was derived from Meta's."""
    side = sam_weights.CANVAS
    encoder = modeling.ImageEncoderViT(
        img_size=side,
        embed_dim=sam_weights.CHANNELS,
        depth=sam_weights.DEPTH,
        num_heads=sam_weights.HEADS,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        global_attn_indexes=sam_weights.WHOLE_GRID,
        window_size=14,
        use_rel_pos=True,
    )
    net = modeling.Sam(encoder, modeling.PromptEncoder(256, (side // 16, side // 16), (side, side), 16), decoder)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items() if not name.startswith("pixel_")}
    net.load_state_dict({n: torch.from_numpy(sam_weights.array(n, s)) for n, s in shapes.items()}, strict=False)
    return net


def _encoded_prompts(net: Any) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield the name of each prompt of `sam_weights`, its tokens and its dense embedding."""
    for kind, prompt in sam_weights.PROMPTS.items():
        boxes, points, labels, mask_inputs = (None if x is None else torch.from_numpy(x) for x in prompt[:4])
        given = None if points is None or labels is None else (points, labels)
        yield kind, *net.prompt_encoder(given, boxes, None if mask_inputs is None else mask_inputs[:, None])


@torch.no_grad()
def efficientvit_sam() -> dict[str, np.ndarray]:
    """Return the embedding of EfficientViT-SAM's image encoder, a small one, with weights of `sam_weights`."""
    with originals.importable():
        from efficientsam.models.efficientvit import EfficientViTSamImageEncoder, SamNeck
        from efficientsam.models.efficientvit.backbone import EfficientViTLargeBackbone
        from efficientsam.models.nn.norm import set_norm_eps

    stages = [StageShape(*stage) for stage in sam_weights.EFFICIENT_STAGES]
    channels = [stage.channels for stage in stages]
    backbone = EfficientViTLargeBackbone(
        channels,
        [stage.depth for stage in stages],
        [sam_weights.EFFICIENT_KINDS[stage.kind] for stage in stages],
        [stage.expansion for stage in stages],
        [stage.kind in ("inverted", "attention") for stage in stages],
    )
    last_three = ["stage4", "stage3", "stage2"]
    neck = SamNeck(last_three, channels[:-4:-1], 256, 1, sam_weights.EFFICIENT_NECK_EXPANSION, "fmb")
    for ops in neck.input_ops:
        ops.op_list[1].size = [sam_weights.CANVAS // 16] * 2
    net = EfficientViTSamImageEncoder(backbone, neck).eval()
    set_norm_eps(net, 1e-6)
    shapes = {n: tuple(v.shape) for n, v in net.state_dict().items() if not n.endswith("num_batches_tracked")}
    net.load_state_dict({n: torch.from_numpy(sam_weights.array(n, s)) for n, s in shapes.items()}, strict=False)
    embedding = net(torch.from_numpy(sam_weights.two_canvases()[..., ::2, ::2].copy()))
    return {"names": np.array(sorted(shapes)), "embedding": embedding[:, ::8, ::2, ::2].numpy()}


@torch.no_grad()
def mobile_sam() -> dict[str, np.ndarray]:
    """Return the outputs of MobileSAM's TinyViT, a small one, with the weights of tests/support/sam_weights.py.

    Also returns the names and shapes in the public file: those of the whole network in its real size.
    """
    with originals.importable():
        from mobile_sam import sam_model_registry
        from mobile_sam.modeling import TinyViT

    side = sam_weights.CANVAS
    net = TinyViT(
        img_size=side,
        embed_dims=sam_weights.TINY_CHANNELS,
        depths=sam_weights.TINY_DEPTHS,
        num_heads=(1, *sam_weights.TINY_HEADS),
        window_sizes=(7, *sam_weights.TINY_WINDOWS),
    )
    net.layers[2].downsample.conv2.c.stride = (1, 1)  # as the original does for a layer with 320 output channels
    arrays = {
        name: torch.from_numpy(sam_weights.array(f"image_encoder.{name}", tuple(value.shape)))
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    net.load_state_dict(arrays, strict=False)
    net.eval()  # after loading the weights: here it computes its attention biases from them
    x = net.patch_embed(torch.from_numpy(sam_weights.two_canvases()))
    for layer in net.layers:
        x = layer(x)
    # its own forward supports only 64 x 64
    embedding = net.neck(x.transpose(1, 2).unflatten(2, (side // 16, side // 16)))
    public = sam_model_registry["vit_t"]().state_dict()
    return {
        "embedding": embedding[:, ::8].numpy(),
        "public": np.array([" ".join([name, *map(str, value.shape)]) for name, value in public.items()]),
    }


@torch.no_grad()
def sam2() -> dict[str, np.ndarray]:
    """Return the outputs of Meta's SAM 2, a small one, with the weights of tests/support/small_sam2.py.

    Also returns the names and shapes of its arrays, with a few of those that only videos need.
    """
    from sam2.build_sam import build_sam2

    side, channels = sam_weights.CANVAS, small_sam2.CHANNELS
    options = {
        "image_size": side,
        "image_encoder.trunk.embed_dim": channels,
        "image_encoder.trunk.stages": list(small_sam2.DEPTHS),
        "image_encoder.trunk.global_att_blocks": list(small_sam2.WHOLE_GRID),
        "image_encoder.neck.backbone_channel_list": [channels << stage for stage in (3, 2, 1, 0)],
    }
    overrides = [f"++model.{name}={value}" for name, value in options.items()]
    net = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", hydra_overrides_extra=overrides)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items() if "memory_" not in name}
    net.load_state_dict({n: torch.from_numpy(sam_weights.array(n, s)) for n, s in shapes.items()}, strict=False)
    features = net.forward_image(torch.from_numpy(sam_weights.canvas()))["backbone_fpn"]
    embedding = features[2] + net.no_mem_embed.reshape(1, -1, 1, 1)
    answers = {"names": np.array([" ".join([name, *map(str, shape)]) for name, shape in shapes.items()])}
    answers |= {
        f"map{i}": m[0, ::step, ::i, ::i].numpy()
        for i, m, step in ((1, embedding, 16), (2, features[1], 8), (4, features[0], 4))
    }
    for kind, prompt in sam_weights.PROMPTS.items():
        logits, iou = _decoded_by_sam2(net, embedding, features[:2], prompt, kind == "click")
        answers[f"{kind}_logits"], answers[f"{kind}_iou"] = logits[:, :, ::4, ::4].numpy(), iou.numpy()
    return answers


def _decoded_by_sam2(
    net: nn.Module, embedding: Tensor, skips: list[Tensor], prompt: PromptBatch, multimask_output: bool
) -> tuple[Tensor, Tensor]:
    """Decode prompts as `SAM2ImagePredictor` does: a box is two more points."""
    points, labels = [], []
    if prompt.boxes is not None:
        points.append(torch.from_numpy(prompt.boxes).reshape(-1, 2, 2))
        labels.append(torch.tensor([[2.0, 3.0]]).repeat(prompt.size, 1))
    if prompt.points is not None and prompt.labels is not None:
        points.append(torch.from_numpy(prompt.points))
        labels.append(torch.from_numpy(prompt.labels))
    masks = None if prompt.mask_inputs is None else torch.from_numpy(prompt.mask_inputs)[:, None]
    given = (torch.cat(points, 1), torch.cat(labels, 1)) if points else None
    sparse, dense = net.sam_prompt_encoder(given, None, masks)
    decoded = net.sam_mask_decoder(
        embedding,
        net.sam_prompt_encoder.get_dense_pe(),
        sparse,
        dense,
        multimask_output=multimask_output,
        repeat_image=prompt.size > 1,
        high_res_features=skips,
    )
    logits, iou = decoded[:2]
    return logits, iou


def grounding_dino() -> dict[str, np.ndarray]:
    """Return the outputs of small networks of `transformers`, with weights of tests/support/small_grounding_dino.py.

    Also returns the names and shapes of the arrays in their files.
    """
    from tests.support import transformers_grounding_dino

    answers: dict[str, np.ndarray] = {}
    canvas, image_hw, tokens = (
        small_grounding_dino.canvas(),
        small_grounding_dino.IMAGE_HW,
        small_grounding_dino.tokens(),
    )
    for network, shape in small_grounding_dino.SHAPES.items():
        with TemporaryDirectory() as folder:
            net, names = transformers_grounding_dino.drawn(shape, Path(folder))
        seen = transformers_grounding_dino.observed(net, canvas, image_hw, tokens)
        seen |= {name: seen[name][::2, ::2] for name in ("image", "fused_image")}
        answers[f"{network}_names"] = np.array(names)
        answers |= {f"{network}_{name}": array.astype(np.float32) for name, array in seen.items()}
    return answers
