"""What a CPU computes in beside float32: the masks stay what they are. Real photos and weights, and SAM's layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core import create_pipeline, models, networks
from ovseg_core.engines import in_openvino
from ovseg_core.paddlex.pipeline import NAME
from ovseg_core.prompts import Prompt
from ovseg_core.sam.network import Sam
from ovseg_core.segmenter import Segmenter
from tests import pictures, sam_weights, small_sam

BOX = [[140, 10, 305, 180]]
LITE = models.find("SAM-Lite")
OTHERS = [p for p in networks.precisions(LITE.network, LITE.weights, "cpu", "openvino") if p != "float32"]
needs_bfloat16 = pytest.mark.skipif("bfloat16" not in in_openvino.precisions(), reason="this CPU has no bfloat16")


@pytest.mark.parametrize("precision", OTHERS)
def test_sam_lite_s_masks_stay_as_they_are(precision: str) -> None:
    in_float32, in_other = Segmenter.open("SAM-Lite"), Segmenter.open("SAM-Lite", precision=precision)
    assert in_other.precision == precision
    assert in_other.fingerprint != in_float32.fingerprint  # or a cache would mix the two
    ious = []
    for view in pictures.views():
        side = len(view)
        prompts = [Prompt.of_box(0.1 * side, 0.05 * side, 0.8 * side, 0.9 * side), Prompt.of_point(side / 2, side / 3)]
        masks = [segmenter.decode(segmenter.encode(view), prompts) for segmenter in (in_float32, in_other)]
        ious += [iou(a.full(), b.full()) for a, b in zip(*masks, strict=True)]
    assert np.mean(ious) >= 0.98
    assert min(ious) < 1  # or float32 ran twice


def test_auto_is_bfloat16_where_the_cpu_has_it() -> None:
    expected = "bfloat16" if "bfloat16" in OTHERS else "float32"
    assert Segmenter.open("SAM-Lite", precision="auto").precision == expected
    assert Segmenter.open("SAM-Lite", engine="paddle", precision="auto").precision == "float32"


@needs_bfloat16
def test_paddlex_s_high_performance_inference_is_in_bfloat16() -> None:
    ways = [create_pipeline(NAME, device="cpu", use_hpip=use, model="SAM-Lite") for use in (False, True)]
    [plain], [fast] = (list(way.predict(str(pictures.PHOTO), BOX)) for way in ways)
    [asked] = ways[0].predict(str(pictures.PHOTO), BOX, use_hpip=True)
    [refused] = ways[1].predict(str(pictures.PHOTO), BOX, use_hpip=False)
    named = create_pipeline(NAME, device="cpu", use_hpip=True, model="SAM-Lite", precision="float32")
    [exact] = named.predict(str(pictures.PHOTO), BOX)
    [a], [b], [c], [d], [e] = (np.asarray(result["masks"]) for result in (plain, fast, asked, refused, exact))
    assert (b == c).all()
    assert (a == d).all()
    assert (a == e).all()
    assert 0.98 <= iou(a > 0, b > 0) < 1


@needs_bfloat16
def test_sam_s_masks_stay_as_they_are_in_bfloat16(tmp_path: Path) -> None:
    in_float32, in_bfloat16 = both(tmp_path)
    [features], [other] = (sam.encode(sam_weights.canvas()) for sam in (in_float32, in_bfloat16))
    assert 0 < np.abs(features[0] - other[0]).max() < 0.1 * np.abs(features[0]).max()
    ious = []
    for asked in sam_weights.PROMPTS.values():
        answers = in_float32.decode(features, asked), in_bfloat16.decode(other, asked)
        ious += [iou(a > 0, b > 0) for a, b in zip(*(answer.logits[0] for answer in answers), strict=True)]
    assert np.mean(ious) >= 0.98
    assert min(ious) < 1


@needs_bfloat16
def test_points_are_read_exactly_in_bfloat16(tmp_path: Path) -> None:
    near = np.array([[[300, 20], [0, 0]], [[300.5, 20], [0, 0]]], np.float32)  # alike, in half precision
    labels = np.tile(np.array([1, -1], np.float32), (2, 1))
    parts, weights = small_sam.load(tmp_path), tmp_path / "sam.safetensors"
    ways = [in_openvino.runners("small", weights, lambda: parts, precision) for precision in ("float32", "bfloat16")]
    found = [way["prompts"](near, labels)[0] for way in ways]
    assert (found[0] == found[1]).all()
    assert (found[0][0, 0] != found[0][1, 0]).any()


def both(folder: Path) -> tuple[Sam, Sam]:
    """The small SAM in float32 and in bfloat16."""
    parts = small_sam.load(folder)
    return small_sam.on("openvino", parts, folder), small_sam.on("openvino", parts, folder, "bfloat16")


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())
