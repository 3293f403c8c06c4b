"""Compare everything mode with Meta's `SamAutomaticMaskGenerator`, with the same networks: same masks, same order."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from ovseg_core import AutomaticMaskGenerator, models
from ovseg_core.sam import hugging_face
from ovseg_core.segmenter import Segmenter
from tests.support import clicks, originals, sam_weights, small_sam

torch = pytest.importorskip("torch")
with originals.importable():
    segment_anything = pytest.importorskip("segment_anything")
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
    from segment_anything.modeling.sam import Sam as MetasSam
    from segment_anything.utils import amg

COMMON = {"points_per_side": 6, "points_per_batch": 10, "pred_iou_thresh": 0.85, "stability_score_thresh": 0.75}
OPTIONS: dict[str, dict[str, Any]] = {
    "the image": {},
    "another offset of stability": {"stability_score_offset": 2.5, "stability_score_thresh": 0.5},
    "no filters": {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.3, "box_nms_thresh": 0.9},
    "one layer of crops": {"crop_n_layers": 1},
    "two layers of crops": {"crop_n_layers": 2, "crop_n_points_downscale_factor": 2, "crop_overlap_ratio": 0.2},
    "few duplicates": {"crop_n_layers": 1, "box_nms_thresh": 0.3, "crop_nms_thresh": 0.4},
    "small regions": {"min_mask_region_area": 60},
    "small regions of crops": {"crop_n_layers": 1, "min_mask_region_area": 300},
    "grids": {
        "crop_n_layers": 1,
        "points_per_side": None,
        "point_grids": [np.array([[0.3, 0.4], [0.5, 0.5], [0.9, 0.1]]), np.array([[0.5, 0.4], [0.0, 1.0]])],
    },
}
SIZES = {"landscape": (201, 300), "portrait": (301, 127), "smaller than the canvas": (150, 180), "thin": (21, 400)}


class ClickEncoder:
    img_size = clicks.CANVAS

    def __call__(self, canvases: Any) -> Any:
        return torch.from_numpy(np.stack([clicks.brightness(canvas) for canvas in canvases.numpy()]))


class ClickPrompts:
    def __call__(self, points: Any, boxes: Any, masks: Any) -> Any:
        return points[0], None

    def get_dense_pe(self) -> Any:
        return None


class ClickDecoder:
    def __call__(self, image_embeddings: Any, sparse_prompt_embeddings: Any, multimask_output: bool, **_: Any) -> Any:
        assert multimask_output
        logits, iou = clicks.answer(image_embeddings[0].numpy(), sparse_prompt_embeddings[:, 0].float().numpy())
        return torch.from_numpy(logits), torch.from_numpy(iou)


@pytest.fixture(scope="module")
def small_sams(folder: Path) -> tuple[Segmenter, Any]:
    """Return our small SAM and Meta's, with the same random weights."""
    parts = small_sam.load(folder)
    encoder = ImageEncoderViT(
        img_size=sam_weights.CANVAS,
        embed_dim=sam_weights.CHANNELS,
        depth=sam_weights.DEPTH,
        num_heads=sam_weights.HEADS,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=sam_weights.WHOLE_GRID,
    )
    grid = sam_weights.CANVAS // 16
    prompt_encoder = PromptEncoder(256, (grid, grid), (sam_weights.CANVAS,) * 2, 16)
    decoder = MaskDecoder(transformer_dim=256, transformer=TwoWayTransformer(2, 256, 8, 2048))
    preset = models.find("SAM-B").preset
    theirs = MetasSam(encoder, prompt_encoder, decoder, preset.mean, preset.std).eval()
    arrays = {name: torch.from_numpy(array) for name, array in small_sam.arrays(parts).items()}
    assert not theirs.load_state_dict(arrays, strict=False).unexpected_keys
    return Segmenter(models.find("SAM-B"), small_sam.on("paddle", parts, folder), "paddle"), theirs


@pytest.fixture(scope="module")
def theirs() -> Any:
    preset = models.find("SAM-B").preset
    return MetasSam(ClickEncoder(), ClickPrompts(), ClickDecoder(), preset.mean, preset.std).eval()


@pytest.fixture(scope="module")
def ours() -> Segmenter:
    return Segmenter(models.find("SAM-B"), clicks.ClickNetwork(), "numpy")


def run(image_rgb: np.ndarray, ours: Segmenter, theirs: Any, **options: Any) -> tuple[Any, Any]:
    given = {**COMMON, **options}
    expected = segment_anything.SamAutomaticMaskGenerator(theirs, **given).generate(image_rgb)
    if given.get("point_grids") is not None:
        given = {**given, "point_grids": [grid.tolist() for grid in given["point_grids"]]}
        del given["points_per_side"]
    return AutomaticMaskGenerator(ours, **given).generate(image_rgb), expected


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [record["point_coords"] for record in found] == [record["point_coords"] for record in expected]
    for record, other in zip(found, expected, strict=True):
        assert list(record) == list(other)
        assert record["crop_box"] == other["crop_box"]
        assert record["bbox"] == pytest.approx(other["bbox"], abs=1)
        assert record["predicted_iou"] == pytest.approx(other["predicted_iou"], abs=1e-5)
        # Their sampling positions are rounded to float32: now and then a pixel is on the other side of a threshold.
        assert record["stability_score"] == pytest.approx(other["stability_score"], abs=3 / other["area"])
        mask = record["segmentation"]
        assert (mask == other["segmentation"]).mean() > 0.9999
        assert record["area"] == mask.sum()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_masks_are_those_of_segment_anything_in_the_same_order(
    ours: Segmenter, theirs: Any, photo: np.ndarray, options: dict[str, Any]
) -> None:
    found, expected = run(photo, ours, theirs, **options)
    assert_same(found, expected)
    assert len(expected) > 3


@pytest.mark.parametrize("crop_n_layers", [0, 1])
def test_masks_agree_with_random_weights(
    small_sams: tuple[Segmenter, Any], photo: np.ndarray, crop_n_layers: int
) -> None:
    """Random weights draw noise over the whole image: only without suppression of duplicates are there many masks."""
    found, expected = run(
        photo,
        *small_sams,
        points_per_side=3,
        pred_iou_thresh=0.1,
        stability_score_thresh=0.2,
        box_nms_thresh=1.0,
        crop_nms_thresh=1.0,
        crop_n_layers=crop_n_layers,
    )
    assert_same(found, expected)
    assert len(expected) > 10


@pytest.mark.parametrize("image_hw", SIZES.values(), ids=SIZES)
def test_masks_agree_for_images_of_any_size(
    ours: Segmenter, theirs: Any, photo: np.ndarray, image_hw: tuple[int, int]
) -> None:
    tiled = np.tile(photo, (3, 2, 1))[: image_hw[0], : image_hw[1]]
    found, expected = run(tiled, ours, theirs, crop_n_layers=1, min_mask_region_area=40)
    assert_same(found, expected)
    assert expected


@pytest.mark.parametrize("output_mode", ["binary_mask", "uncompressed_rle", "coco_rle"])
def test_every_output_mode_has_their_form(ours: Segmenter, theirs: Any, photo: np.ndarray, output_mode: str) -> None:
    found, expected = run(photo, ours, theirs, points_per_side=4, output_mode=output_mode)
    assert expected
    for record, other in zip(found, expected, strict=True):
        assert type(record["segmentation"]) is type(other["segmentation"])
        pixels = decoded(record["segmentation"])
        assert (pixels == decoded(other["segmentation"])).mean() > 0.9999
        assert pixels.dtype == bool
        [their_rle] = amg.mask_to_rle_pytorch(torch.from_numpy(pixels)[None])
        if output_mode == "uncompressed_rle":
            assert record["segmentation"] == their_rle
        elif output_mode == "coco_rle":
            assert record["segmentation"] == amg.coco_encode_rle(their_rle)


def decoded(segmentation: Any) -> np.ndarray:
    """Return the pixels (H, W) bool of a segmentation in any output mode."""
    if isinstance(segmentation, np.ndarray):
        return segmentation
    if isinstance(segmentation["counts"], str):
        return np.asarray(coco.decode(segmentation)).astype(bool)
    pixels: np.ndarray = amg.rle_to_mask(segmentation)
    return np.ascontiguousarray(pixels)


@pytest.fixture(scope="module")
def hugging_faces_pipeline(small_sams: tuple[Segmenter, Any]) -> Any:
    """Return transformers' pipeline with the small SAM of `small_sams`."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    vision = {
        "image_size": sam_weights.CANVAS,
        "hidden_size": sam_weights.CHANNELS,
        "num_hidden_layers": sam_weights.DEPTH,
        "num_attention_heads": sam_weights.HEADS,
        "mlp_dim": 4 * sam_weights.CHANNELS,
        "global_attn_indexes": sam_weights.WHOLE_GRID,
    }
    prompts = {"image_size": sam_weights.CANVAS, "image_embedding_size": sam_weights.CANVAS // 16}
    model = transformers.SamModel(transformers.SamConfig(vision_config=vision, prompt_encoder_config=prompts)).eval()
    metas = small_sams[1].state_dict()
    names = list(model.state_dict())
    new_names = {name: hugging_face.renamed({name: np.empty(0)}) for name in names}
    arrays = {name: metas[next(iter(new))] for name, new in new_names.items() if new}
    assert all("shared" in name for name in model.load_state_dict(arrays, strict=False).missing_keys)
    side = {"height": sam_weights.CANVAS, "width": sam_weights.CANVAS}
    processor = SamImageProcessorPil(size={"longest_edge": sam_weights.CANVAS}, pad_size=side)
    with_torchvision = type(processor).post_process_for_mask_generation
    processor.post_process_for_mask_generation = with_torchvision.__wrapped__.__get__(processor)
    return transformers.pipeline("mask-generation", model=model, image_processor=processor)


@pytest.mark.parametrize("crop_n_layers", [0, 1])
def test_masks_are_those_of_transformers(
    small_sams: tuple[Segmenter, Any], hugging_faces_pipeline: Any, photo: np.ndarray, crop_n_layers: int
) -> None:
    """Without suppression of duplicates, where transformers differs from segment-anything.

    It has one suppression for all crops, which prefers the mask with the highest predicted IoU; so its order is that of
    the predicted IoU. It has no `min_mask_region_area`, and its grid of crops cannot be coarser than that of the image.
    """
    options: dict[str, Any] = {"pred_iou_thresh": 0.1, "stability_score_thresh": 0.2, "points_per_batch": 8}
    no_suppression: dict[str, Any] = {"box_nms_thresh": 1.0, "crop_nms_thresh": 1.0}
    ours = AutomaticMaskGenerator(
        small_sams[0], points_per_side=3, crop_n_layers=crop_n_layers, **options, **no_suppression
    )
    found = sorted(ours.generate(photo), key=lambda record: -record["predicted_iou"])
    with originals.importable():
        expected = hugging_faces_pipeline(
            Image.fromarray(photo), points_per_crop=3, crops_n_layers=crop_n_layers, crops_nms_thresh=1.0, **options
        )
    assert [record["predicted_iou"] for record in found] == pytest.approx(expected["scores"].tolist(), abs=1e-4)
    for record, mask in zip(found, expected["masks"], strict=True):
        assert (record["segmentation"] == mask).mean() > 0.999
    assert len(found) > 10
