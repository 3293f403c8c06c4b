from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import image, networks
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.support import pictures

SHUTTLE, HEAD = Prompt.of_box(340, 4, 462, 300), Prompt.of_box(140, 10, 305, 180)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.open("SAM-Lite", precision="float32")


@pytest.fixture(scope="module")
def embedding(segmenter: Segmenter) -> Embedding:
    return segmenter.encode(image.decode(pictures.photo(), 10**8))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_box_segments_the_object_in_it(segmenter: Segmenter, embedding: Embedding) -> None:
    """The object is the head of the astronaut; an ellipse drawn by hand covers it roughly."""
    [mask] = segmenter.decode(embedding, [HEAD])
    y, x = np.mgrid[:512, :512]
    by_hand = ((x - 224) / 68) ** 2 + ((y - 92) / 82) ** 2 < 1
    assert mask.image_hw == (512, 512)
    assert iou(mask.full(), by_hand) > 0.75
    assert mask.score is not None
    assert 0 < mask.score <= 1


def test_masks_are_in_the_order_of_their_prompts_also_for_prompts_of_different_shapes(
    segmenter: Segmenter, embedding: Embedding
) -> None:
    prompts = [
        Prompt.of_point(390, 430),
        SHUTTLE,
        Prompt(points=((390, 430), (150, 330)), labels=(1, 0)),
        HEAD,
        Prompt(box=(278, 300, 512, 512), points=((390, 430),), labels=(1,)),
        Prompt.of_point(220, 90),
    ]
    together = segmenter.decode(embedding, prompts)
    for prompt, mask in zip(prompts, together, strict=True):
        [alone] = segmenter.decode(embedding, [prompt])
        assert iou(mask.full(), alone.full()) > 0.999
        assert mask.score == pytest.approx(alone.score, abs=2e-4)


def test_prompts_beyond_the_batch_size_get_masks_too(segmenter: Segmenter, embedding: Embedding) -> None:
    masks = segmenter.decode(embedding, [SHUTTLE] * (segmenter.spec.preset.prompts_per_batch + 1))
    assert len({mask.counts for mask in masks}) == 1
    assert len(masks) == segmenter.spec.preset.prompts_per_batch + 1


def test_without_prompts_there_are_no_masks(segmenter: Segmenter, embedding: Embedding) -> None:
    assert segmenter.decode(embedding, []) == []


def test_the_mask_of_a_box_stays_within_the_box(segmenter: Segmenter, embedding: Embedding) -> None:
    [mask] = segmenter.decode(embedding, [Prompt.of_box(-50, 100.5, 200, 700)])
    x0, y0, x1, y1 = mask.box_xyxy
    assert x0 >= 0
    assert y0 >= 100
    assert x1 <= 200
    assert y1 <= 512


@pytest.mark.parametrize("image_hw", [(1, 1), (2, 700), (700, 3), (20, 30_000)])
def test_images_of_extreme_shapes_can_be_segmented(segmenter: Segmenter, image_hw: tuple[int, int]) -> None:
    height, width = image_hw
    pixels = np.full((height, width, 3), 90, np.uint8)
    masks = segmenter.decode(segmenter.encode(pixels), [Prompt.of_box(0, 0, width, height), Prompt.of_point(0, 0)])
    assert [mask.full().shape for mask in masks] == [image_hw, image_hw]


def test_a_prompt_outside_the_image_is_refused(segmenter: Segmenter, embedding: Embedding) -> None:
    with pytest.raises(OvsegError, match="outside the image"):
        segmenter.decode(embedding, [Prompt.of_box(600, 600, 700, 700)])


def test_an_embedding_from_another_model_is_refused(segmenter: Segmenter, embedding: Embedding) -> None:
    other = Embedding("SAM-H", embedding.features, embedding.frame)
    with pytest.raises(ValueError, match="embedding of SAM-H"):
        segmenter.decode(other, [HEAD])


def test_an_embedding_of_another_edition_of_the_model_is_refused(
    segmenter: Segmenter, embedding: Embedding, tmp_path: Path
) -> None:
    (tmp_path / "older.safetensors").write_bytes(b"older weights")
    older = replace(segmenter.spec, weights=tmp_path / "older.safetensors")
    before = Segmenter(older, segmenter.network, segmenter.engine)
    with pytest.raises(ValueError, match="other weights of SAM-Lite made this embedding: encode the image again"):
        before.decode(Embedding.from_bytes(embedding.to_bytes()), [HEAD])
    assert before.fingerprint != segmenter.fingerprint  # by which workers share embeddings


def test_everything_mode_finds_masks_that_its_clicks_alone_find_too(
    segmenter: Segmenter, embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = segmenter.spec
    unrefined = replace(spec.family, preset=replace(spec.preset, everything_refines=False))
    monkeypatch.setitem(networks.NETWORKS, spec.network, unrefined)
    *_, last = segmenter.everything(
        None, embedding, points_per_side=4, pred_iou_thresh=0.4, stability_score_thresh=0.5, box_nms_thresh=0.5
    )
    assert len(last.answers) > 2
    for answer in last.answers:
        [alone] = segmenter.candidates(embedding, [answer.prompt])
        assert max(iou(answer.mask.full(), mask.full()) for mask in alone) > 0.99
        assert answer.mask.score in [pytest.approx(mask.score, abs=2e-4) for mask in alone]


def test_a_hole_with_a_click_of_label_0_is_not_filled(segmenter: Segmenter, embedding: Embedding) -> None:
    """The hole is the astronaut's face in the mask of her head."""
    face = (224.0, 100.0)
    [whole] = segmenter.decode(embedding, [HEAD])
    [without] = segmenter.decode(embedding, [Prompt(HEAD.box, (face,), (0,))])
    x, y = (int(coordinate) for coordinate in face)
    assert whole.full()[y, x]
    assert not without.full()[y, x]


def test_a_mask_alone_comes_back_nearly_unchanged(segmenter: Segmenter, embedding: Embedding) -> None:
    earlier = segmenter.decode(embedding, [HEAD, SHUTTLE])
    again = segmenter.decode(embedding, [Prompt.of(mask=mask) for mask in earlier])
    for before, after in zip(earlier, again, strict=True):
        assert iou(before.full(), after.full()) > 0.9
        assert after.score is not None


@pytest.mark.parametrize(("xy", "label"), [((224, 100), 0), ((180, 60), 0), ((215, 175), 1)])
def test_a_click_changes_a_mask_where_it_clicks(
    segmenter: Segmenter, embedding: Embedding, xy: tuple[int, int], label: int
) -> None:
    [head] = segmenter.decode(embedding, [HEAD])
    before = head.full()
    before[xy[1] - 3 : xy[1] + 4, xy[0] - 3 : xy[0] + 4] = not label  # an error, which the click corrects
    [refined] = segmenter.decode(embedding, [Prompt.of(points=[xy], labels=[label], mask=before)])
    after = refined.full()
    assert after[xy[1], xy[0]] == bool(label)
    changed = np.argwhere(after != before)
    near = np.abs(changed - (xy[1], xy[0])).max(1) < 90
    assert near.mean() > 0.8


def test_masks_are_prompts_among_others_and_keep_their_order(segmenter: Segmenter, embedding: Embedding) -> None:
    [head] = segmenter.decode(embedding, [HEAD])
    prompts = [Prompt.of(mask=head), SHUTTLE, Prompt.of(HEAD.box, mask=head), Prompt.of(points=[[220, 90]], mask=head)]
    together = segmenter.decode(embedding, prompts)
    assert [len(several) for several in segmenter.candidates(embedding, prompts)] == [1, 1, 1, 1]
    for prompt, mask in zip(prompts, together, strict=True):
        [alone] = segmenter.decode(embedding, [prompt])
        assert iou(mask.full(), alone.full()) > 0.999


def test_the_hole_of_a_mask_is_not_filled(segmenter: Segmenter, embedding: Embedding) -> None:
    y, x = np.mgrid[:512, :512]
    ring = np.abs(np.hypot(x - 220, y - 95) - 60) < 25
    [mask] = segmenter.decode(embedding, [Prompt.of(mask=ring)])
    assert iou(mask.full(), ring) > 0.6


@pytest.mark.parametrize("image_hw", [(1, 1), (2, 700), (20, 30_000)])
def test_a_mask_of_an_extreme_shape_or_thinner_than_a_cell_is_a_prompt(
    segmenter: Segmenter, image_hw: tuple[int, int]
) -> None:
    pixels = np.zeros(image_hw, bool)
    pixels[0, 0] = True
    empty = segmenter.encode(np.full((*image_hw, 3), 90, np.uint8))
    masks = segmenter.decode(empty, [Prompt.of(mask=pixels), Prompt.of(points=[[0, 0]], mask=pixels)])
    assert [mask.image_hw for mask in masks] == [image_hw, image_hw]


def test_a_mask_of_another_image_is_refused(segmenter: Segmenter, embedding: Embedding) -> None:
    with pytest.raises(OvsegError, match="the mask is for an image of 4 x 3 pixels") as caught:
        segmenter.decode(embedding, [Prompt.of(mask=np.ones((3, 4), bool))])
    assert caught.value.code == "mask_size_mismatch"
