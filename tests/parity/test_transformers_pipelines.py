"""The same scripts with `pipeline` of transformers and with ours, on the same random weights.

For `image-segmentation` transformers has no model that is also here, so only the forms of the results are compared.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ovseg_core
from ovseg_core import models
from ovseg_core.checkpoints.renaming import renamed
from ovseg_core.grounding_dino import loading, tokenizer
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.sam import hugging_face
from ovseg_core.segmenter import Segmenter
from tests.support import originals, sam_weights, small_sam
from tests.support.small_grounding_dino import CANVAS_HW, SHAPE

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIDE = sam_weights.CANVAS
TIED = "prompt_encoder.shared_embedding.positional_embedding"  # the same array as another one
LABELS = ["a b", "c.", "d e. f"]  # with a full stop and without; the small network has no tokens of words


@pytest.fixture(scope="module")
def sams(folder: Path) -> tuple[Segmenter, Any]:
    """Return our small SAM and transformers', with the same weights."""
    parts = small_sam.load(folder)
    vision = {
        "hidden_size": sam_weights.CHANNELS,
        "num_hidden_layers": sam_weights.DEPTH,
        "num_attention_heads": sam_weights.HEADS,
        "global_attn_indexes": list(sam_weights.WHOLE_GRID),
        "image_size": SIDE,
        "mlp_dim": 4 * sam_weights.CHANNELS,
    }
    prompts = {"image_size": SIDE, "image_embedding_size": SIDE // 16}
    theirs = transformers.SamModel(transformers.SamConfig(vision_config=vision, prompt_encoder_config=prompts)).eval()
    arrays = small_sam.arrays(parts)
    names = {name: next(iter(renamed({name: np.zeros(0)}, hugging_face.RULES)), "") for name in theirs.state_dict()}
    same = {name: torch.from_numpy(arrays[ours]) for name, ours in names.items() if ours in arrays}
    assert theirs.load_state_dict(same, strict=False).missing_keys == [TIED]
    return Segmenter(models.find("SAM-B"), small_sam.on("paddle", parts, folder), "paddle"), theirs


@pytest.fixture
def picture(photo: np.ndarray) -> Image.Image:
    return Image.fromarray(photo)


def for_small_sam() -> Any:
    """Return the image processor that does not need torchvision, for the size of the small SAM."""
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    processor = SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE})
    with_torchvision = type(processor).post_process_for_mask_generation
    processor.post_process_for_mask_generation = with_torchvision.__wrapped__.__get__(processor)
    return processor


def test_mask_generation_returns_the_same_masks(sams: tuple[Segmenter, Any], picture: Image.Image) -> None:
    """Random weights draw noise: only without suppression of duplicates are there many masks."""

    def script(pipeline: Any, model: Any, **more: Any) -> Any:
        generator = pipeline("mask-generation", model=model, device="cpu", points_per_crop=4, **more)
        options = {"pred_iou_thresh": 0.1, "stability_score_thresh": 0.2, "crops_nms_thresh": 1.0}
        return generator([picture], points_per_batch=5, output_rle_mask=True, output_bboxes_mask=True, **options)

    with originals.importable():
        [expected] = script(transformers.pipeline, sams[1], image_processor=for_small_sam())
    [found] = script(ovseg_core.pipeline, sams[0])
    assert list(found) == list(expected)
    assert len(found["masks"]) == len(expected["masks"]) > 10
    assert found["scores"] == pytest.approx(expected["scores"].numpy(), abs=1e-4)
    assert np.abs(found["bounding_boxes"] - expected["bounding_boxes"].numpy()).max() <= 1
    for mask, rle, their_mask, their_rle in zip(
        *(answer[key] for answer in (found, expected) for key in ("masks", "rle_mask")), strict=True
    ):
        assert (mask.shape, mask.dtype) == (their_mask.shape, their_mask.dtype)
        assert (mask == np.asarray(their_mask)).mean() > 0.9999
        assert rle.keys() == their_rle.keys()
        assert rle["size"] == list(their_rle["size"])
        assert sum(rle["counts"][1::2]) == pytest.approx(sum(their_rle["counts"][1::2]), abs=3)


def test_features_are_the_same(sams: tuple[Segmenter, Any], picture: Image.Image) -> None:
    def script(pipeline: Any, model: Any, **more: Any) -> Any:
        return pipeline("image-feature-extraction", model=model, device="cpu", **more)([picture])

    theirs = transformers.SamVisionModel(sams[1].config.vision_config).eval()
    of_vision = {name: array for name, array in sams[1].state_dict().items() if name.startswith("vision_encoder.")}
    assert not theirs.load_state_dict(of_vision, strict=False).missing_keys
    [expected] = script(transformers.pipeline, theirs, image_processor=for_small_sam())
    [found] = script(ovseg_core.pipeline, sams[0])
    assert isinstance(found, list)
    assert isinstance(expected, list)
    assert list(np.shape(found)) == list(np.shape(expected)) == [1, 256, SIDE // 16, SIDE // 16]
    assert np.abs(np.array(found) - np.array(expected)).max() < 1e-4


def test_zero_shot_object_detection_finds_the_same_boxes(folder: Path, picture: Image.Image) -> None:
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    from tests.support import transformers_grounding_dino

    def script(pipeline: Any, model: Any, **more: Any) -> Any:
        detector = pipeline("zero-shot-object-detection", model=model, device="cpu", **more)
        return [
            detector(picture, candidate_labels=LABELS, threshold=0.2),
            detector([{"image": picture, "candidate_labels": LABELS[:1]}], threshold=0.0)[0],
            detector(picture, candidate_labels=LABELS, top_k=3),
        ]

    net, _ = transformers_grounding_dino.drawn(SHAPE, folder / "pipelines")
    canvas = dict(zip(("height", "width"), CANVAS_HW, strict=True))
    processor = GroundingDinoImageProcessorPil(size={"shortest_edge": 80, "longest_edge": 130}, pad_size=canvas)
    words = transformers.BertTokenizer(str(tokenizer.VOCABULARY))
    sizes = Placement(short_side=80, long_side=130, canvases=(CANVAS_HW,))
    ours = loading.detector("small", SHAPE, folder / "pipelines" / "model.safetensors", "cpu", "paddle", sizes)
    expected = script(transformers.pipeline, net, tokenizer=words, image_processor=processor)
    found = script(ovseg_core.pipeline, ours)
    assert [len(rows) for rows in found] == [len(rows) for rows in expected]
    assert len(found[0]) > 20
    for row, other in zip(chain(*found), chain(*expected), strict=True):
        assert list(row) == list(other)
        assert [type(value) for value in row["box"].values()] == [int] * 4
        assert row["label"] == other["label"]
        assert row["score"] == pytest.approx(other["score"], abs=1e-4)
        assert row["box"] == pytest.approx(other["box"], abs=1)


@pytest.mark.parametrize("subtask", [None, "instance", "panoptic", "semantic"])
def test_image_segmentation_returns_results_of_the_same_form(picture: Image.Image, subtask: str | None) -> None:
    from transformers.models.maskformer.image_processing_pil_maskformer import MaskFormerImageProcessorPil

    def script(pipeline: Any, model: Any, **more: Any) -> Any:
        segmenter = pipeline("image-segmentation", model=model, device="cpu", threshold=0.0, **more)
        return segmenter(picture, subtask=subtask, overlap_mask_area_threshold=0.0)

    backbone = transformers.SwinConfig(embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1])
    decoder = transformers.DetrConfig(d_model=32, decoder_layers=1, encoder_layers=1, num_queries=5)
    config = transformers.MaskFormerConfig(
        backbone_config=backbone, decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, num_labels=3
    )
    torch.manual_seed(0)
    theirs = transformers.MaskFormerForInstanceSegmentation(config).eval()
    processor = MaskFormerImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    expected = script(transformers.pipeline, theirs, image_processor=processor, mask_threshold=0.0)
    found = script(ovseg_core.pipeline, "SAM-Lite", points_per_crop=4)
    assert found
    assert expected
    for row in (*found, *expected):
        assert list(row) == ["score", "label", "mask"]
        assert isinstance(row["score"], type(None) if subtask == "semantic" else float)
        assert isinstance(row["label"], str)
        assert (type(row["mask"]), row["mask"].mode, row["mask"].size) == (Image.Image, "L", picture.size)
        assert set(np.unique(row["mask"])) <= {0, 255}
