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
    return AutomaticMaskGenerator(ours, **given).generate(image_rgb), expected


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [record["point_coords"] for record in found] == [record["point_coords"] for record in expected]
    for record, other in zip(found, expected, strict=True):
        assert list(record) == list(other)
        # The numbers of boxes are whole; theirs become floats if a batch of clicks or a crop has no masks.
        assert types(record["bbox"]) == types(record["crop_box"]) == [int] * 4
        for key in ("area", "point_coords", "predicted_iou", "stability_score"):
            assert types(record[key]) == types(other[key])
        assert record["crop_box"] == other["crop_box"]
        assert record["bbox"] == pytest.approx(other["bbox"], abs=1)
        assert record["predicted_iou"] == pytest.approx(other["predicted_iou"], abs=1e-5)
        # Their sampling positions are rounded to float32: now and then a pixel is on the other side of a threshold.
        assert record["stability_score"] == pytest.approx(other["stability_score"], abs=3 / other["area"])
        mask = record["segmentation"]
        assert (mask == other["segmentation"]).mean() > 0.9999
        assert record["area"] == mask.sum()


def types(value: Any) -> Any:
    """Return the type of a value; those of its items if it is a list."""
    return [types(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_masks_are_those_of_segment_anything_in_the_same_order(
    ours: Segmenter, theirs: Any, photo: np.ndarray, options: dict[str, Any]
) -> None:
    found, expected = run(photo, ours, theirs, **options)
    assert_same(found, expected)
    assert len(expected) > 3


def test_masks_agree_with_random_weights(small_sams: tuple[Segmenter, Any], photo: np.ndarray) -> None:
    """Random weights draw noise over the whole image: only without suppression of duplicates are there many masks."""
    found, expected = run(
        photo,
        *small_sams,
        points_per_side=4,
        pred_iou_thresh=0.1,
        stability_score_thresh=0.2,
        box_nms_thresh=1.0,
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
def hugging_faces_pipeline() -> Any:
    """Return transformers' pipeline with a small SAM, whose answers are replaced by those of `clicks`."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    side = sam_weights.CANVAS
    vision = {"image_size": side, "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 1, "mlp_dim": 12}
    prompts = {"image_size": side, "image_embedding_size": side // 16}
    model = transformers.SamModel(transformers.SamConfig(vision_config=vision, prompt_encoder_config=prompts)).eval()
    noted: dict[str, np.ndarray] = {}

    def note_image(_: object, pixels: Any) -> None:
        noted["cells"] = clicks.brightness(pixels[0][0].numpy())

    def note_points(_: object, __: object, given: Any) -> None:
        noted["points"] = given["input_points"][0, :, 0].float().numpy()

    def answer(_: object, __: object, answers: Any) -> Any:
        drawn = clicks.answer(noted["cells"], noted["points"])
        return tuple(torch.from_numpy(a).reshape(b.shape) for a, b in zip(drawn, answers, strict=True))

    model.vision_encoder.register_forward_pre_hook(note_image)
    model.prompt_encoder.register_forward_pre_hook(note_points, with_kwargs=True)
    model.mask_decoder.register_forward_hook(answer)
    processor = SamImageProcessorPil(size={"longest_edge": side}, pad_size={"height": side, "width": side})
    with_torchvision = type(processor).post_process_for_mask_generation
    processor.post_process_for_mask_generation = with_torchvision.__wrapped__.__get__(processor)
    return transformers.pipeline("mask-generation", model=model, image_processor=processor)


@pytest.mark.parametrize(("crop_n_layers", "nms_thresh"), [(0, 0.7), (1, 1.0)])
def test_masks_are_those_of_transformers(
    hugging_faces_pipeline: Any, photo: np.ndarray, crop_n_layers: int, nms_thresh: float
) -> None:
    """With crops, the masks are compared without suppression of duplicates: there it differs from segment-anything.

    It has one suppression for all crops, which prefers the mask with the highest predicted IoU; so its order is that of
    the predicted IoU. It has no `min_mask_region_area`, and its grid of crops cannot be coarser than that of the image.
    """
    options: dict[str, Any] = {"pred_iou_thresh": 0.85, "stability_score_thresh": 0.75, "points_per_batch": 8}
    suppression: dict[str, Any] = {"box_nms_thresh": nms_thresh, "crop_nms_thresh": nms_thresh}
    segmenter = Segmenter(models.find("SAM-B"), clicks.ClickNetwork(sam_weights.CANVAS), "numpy")
    ours = AutomaticMaskGenerator(segmenter, points_per_side=5, crop_n_layers=crop_n_layers, **options, **suppression)
    # Clicks at the same place of two crops have the same predicted IoU.
    found = sorted(ours.generate(photo), key=lambda record: (-round(record["predicted_iou"], 4), record["area"]))
    with originals.importable():
        answer = hugging_faces_pipeline(
            Image.fromarray(photo),
            points_per_crop=5,
            crops_n_layers=crop_n_layers,
            crops_nms_thresh=nms_thresh,
            **options,
        )
    pairs = zip(answer["scores"].tolist(), answer["masks"], strict=True)
    expected = sorted(pairs, key=lambda pair: (-round(pair[0], 4), pair[1].sum()))
    for record, (score, mask) in zip(found, expected, strict=True):
        assert record["predicted_iou"] == pytest.approx(score, abs=1e-5)
        assert (record["segmentation"] == mask).mean() > 0.9999
    assert len(found) > 5
    assert crop_n_layers == 0 or any(record["crop_box"][2] < photo.shape[1] for record in found)
