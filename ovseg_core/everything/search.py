"""The search for all masks of an image: clicks on a grid, in the image and in crops of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ovseg_core.answer import Answer
from ovseg_core.candidates import Candidates
from ovseg_core.embedding import Embedding
from ovseg_core.everything import crops, proposals, small_regions
from ovseg_core.everything.crops import Crop
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.everything.proposals import Masking, Proposal

Image = np.ndarray | Callable[[], np.ndarray]  # (H, W, 3) uint8, RGB, or a function that returns it


@dataclass(frozen=True)
class Model:
    """What the search uses of a model.

    Attributes:
        encode: returns the embedding of an image (H, W, 3) uint8, RGB.
        decode: returns all candidates of clicks (N, 2), in pixels of the embedding's image. Those with a predicted IoU
            that is not above the third argument may have no logits.
        points_per_run: number of clicks in one call of `decode`.
        masking: how its logits become masks.
        ranks_by_stability: True if of duplicates the mask with the highest predicted IoU times stability score is kept,
            instead of the one with the highest predicted IoU.
        refine: returns better masks, as candidates (N, 1), of masks that clicks (N, 2) found, in pixels of the
            embedding's image. None if masks are not refined.
    """

    encode: Callable[[np.ndarray], Embedding]
    decode: Callable[[Embedding, np.ndarray, float], Candidates]
    points_per_run: int
    masking: Masking
    ranks_by_stability: bool = False
    refine: Callable[[Embedding, np.ndarray, Sequence[Proposal]], Candidates] | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """The state of a search after some of its clicks.

    Attributes:
        points_done: number of clicks that were decoded.
        points_total: number of clicks of the whole search.
        found: the masks that the last batch of clicks found. The choice at the end drops some of them.
        chosen: the final masks, in the last step; None before it.
    """

    points_done: int
    points_total: int
    found: Sequence[Proposal] = ()
    chosen: Sequence[Proposal] | None = None

    @property
    def is_last(self) -> bool:
        """True if the search is complete."""
        return self.chosen is not None

    @property
    def answers(self) -> list[Answer]:
        """The final masks as answers to their clicks; empty before the last step."""
        return [proposal.answer for proposal in self.chosen or ()]


def search(
    model: Model, image: Image | None, embedding: Embedding | None, options: EverythingOptions
) -> Generator[Step, None, None]:
    """Yield a step after each batch of clicks, and a last one with the final masks.

    Args:
        model: the model.
        image: (H, W, 3) uint8, or a function that returns it. None if it is not needed: with an embedding and without
            crops.
        embedding: the embedding of the whole image; if it is None, it is computed.
        options: how to search.

    Raises:
        ValueError: the image is needed but missing, or the embedding is that of an image of another size.
    """
    pixels = None if embedding is not None and not options.crop_n_layers else _pixels(image)
    if embedding is None:
        assert pixels is not None
        embedding = model.encode(pixels)
    image_hw = embedding.frame.image_hw
    if isinstance(image, np.ndarray) and image.shape[:2] != image_hw:
        raise ValueError(f"the embedding is of an image of {image_hw} pixels, not of {image.shape[:2]}")
    parts = crops.of(image_hw, options)
    done, total = 0, sum(len(crop.points) for crop in parts)
    chosen: list[Proposal] = []
    for crop in parts:
        of_crop = embedding if pixels is None or crop.is_whole else model.encode(crop.pixels(pixels))
        chosen += yield from _in_crop(model, of_crop, crop, options, done, total)
        done += len(crop.points)
    if len(parts) > 1:
        # The mask of a smaller crop is better: the network saw more of the object's pixels.
        chosen = proposals.unique(chosen, [1 / found.crop.area for found in chosen], options.crop_nms_thresh)
    if options.min_mask_region_area:
        chosen = _without_small_regions(chosen, options)
    yield Step(total, total, chosen=chosen)


def _pixels(image: Image | None) -> np.ndarray:
    if image is None:
        raise ValueError("everything mode needs the image, except with its embedding and without crops")
    return image() if callable(image) else image


def _in_crop(
    model: Model, embedding: Embedding, crop: Crop, options: EverythingOptions, done: int, total: int
) -> Generator[Step, None, list[Proposal]]:
    """Yield a step after each batch of clicks in a crop, and return its masks without duplicates.

    If the model refines its masks, further steps follow with the refined masks of a batch each.
    """
    # A mask that is not stable yet may become stable when it is refined.
    first = options if model.refine is None else replace(options, stability_score_thresh=0.0)
    chosen: list[Proposal] = []
    for start in range(0, len(crop.points), options.points_per_batch):
        points = crop.points[start : start + options.points_per_batch]
        found = _found(model, embedding, points, crop, first)
        chosen += found
        done += len(points)
        yield Step(done, total, found)
    chosen = _unique(model, chosen, options)
    if model.refine is None:
        return chosen
    refined: list[Proposal] = []
    for start in range(0, len(chosen), model.points_per_run):
        found = _refined(model, embedding, chosen[start : start + model.points_per_run], crop, options)
        refined += found
        yield Step(done, total, found)
    return _unique(model, refined, options)


def _found(
    model: Model, embedding: Embedding, points: np.ndarray, crop: Crop, options: EverythingOptions
) -> list[Proposal]:
    """Return what a batch of clicks (P, 2) finds in a crop."""
    found: list[Proposal] = []
    for start in range(0, len(points), model.points_per_run):
        clicks = points[start : start + model.points_per_run]
        candidates = model.decode(embedding, clicks, options.pred_iou_thresh)
        found += proposals.of(candidates, clicks, crop, embedding.frame, model.masking, options)
    return found


def _refined(
    model: Model, embedding: Embedding, found: Sequence[Proposal], crop: Crop, options: EverythingOptions
) -> list[Proposal]:
    """Return the refined masks of some masks. Those that are not stable or cut off are left out."""
    assert model.refine is not None
    points = np.array([proposal.point for proposal in found]) - crop.box_xyxy[:2]
    candidates = model.refine(embedding, points, found)
    frame, whole_only = embedding.frame, model.masking.by_region
    return proposals.of(candidates, points, crop, frame, model.masking, options, whole_only)


def _unique(model: Model, found: Sequence[Proposal], options: EverythingOptions) -> list[Proposal]:
    ranks = [proposal.rank if model.ranks_by_stability else proposal.predicted_iou for proposal in found]
    return proposals.unique(found, ranks, options.box_nms_thresh)


def _without_small_regions(chosen: Sequence[Proposal], options: EverythingOptions) -> list[Proposal]:
    """Remove small regions from the masks, and then the masks that became duplicates of masks without such regions."""
    after, is_unchanged = [], []
    for found in chosen:
        cleaned = small_regions.removed(found.mask, options.min_mask_region_area)
        is_unchanged.append(cleaned is None)
        after.append(found if cleaned is None else replace(found, mask=cleaned))
    return proposals.unique(after, is_unchanged, max(options.box_nms_thresh, options.crop_nms_thresh))
