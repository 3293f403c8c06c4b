"""What the network answers during a step of training, without gradients: it places clicks, and teaches the scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovseg_core.lite.shape import CANDIDATES, MASK, REGION
from training.geometry import boxes_of, cells, in_regions, on_canvas, region_maps, region_of
from training.network import SamLite
from training.prompts import GRID
from training.scenes import SIZE


class Drafts:
    """The network's present masks for things (N,) of a batch: `of` is the image and `masks` the true mask of each."""

    def __init__(self, net: SamLite, maps: list[Tensor], of: Tensor, masks: Tensor) -> None:
        self.net, self.maps, self.of, self.masks = net, [m.detach() for m in maps], of, masks

    def of_boxes(self, boxes: Tensor, which: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        """Return the masks (M, GRID, GRID) of boxes (N, 4) of the things `which` (M,), with clicks."""
        with as_in_use(self.net):
            regions = region_of(boxes[which])
            drawn = region_maps(regions, boxes[which], points, labels, None)
            logits, _ = self.net.mask_head(self.maps, self.of[which], regions, drawn)
            return on_canvas(torch.sigmoid(logits), regions, GRID) > 0.5

    def of_clicks(self, which: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        """Return the masks (M, GRID, GRID) of clicks on the things `which` (M,)."""
        with as_in_use(self.net):
            coarse, guess = self.net.locator(self.maps, self.of[which], points, labels)
            chosen = coarse[torch.arange(len(which)), guess.argmax(1)]
            regions, drawn = clicked_regions(chosen, points, labels)
            logits, _ = self.net.mask_head(self.maps, self.of[which], regions, drawn)
            return on_canvas(torch.sigmoid(logits), regions, GRID) > 0.5

    def judged(self, which: Tensor, coarse: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the IoU (M, CANDIDATES) of the refined mask of each candidate (M, CANDIDATES, h, w), and its score.

        The scores have gradients for the layers of the mask head's score, and for nothing else.
        """
        which, points, labels = (x.repeat_interleave(CANDIDATES, 0) for x in (which, points, labels))
        with as_in_use(self.net):
            regions, drawn = clicked_regions(coarse.flatten(0, 1), points, labels)
            logits, *summary = self.net.mask_head.described(self.maps, self.of[which], regions, drawn)
        iou, score = iou_of(logits, regions, self.masks[which]), self.net.mask_head.score(*summary)[:, 0]
        return iou.unflatten(0, (-1, CANDIDATES)), score.unflatten(0, (-1, CANDIDATES))


@contextmanager
def as_in_use(net: SamLite) -> Iterator[None]:
    """Run the heads as they run after the training: norms use their averages, and nothing is recorded."""
    heads: tuple[nn.Module, ...] = (net.locator, net.mask_head)
    before = [head.training for head in heads]
    for head in heads:
        head.eval()
    with torch.no_grad():
        yield
    for head, was_training in zip(heads, before, strict=True):
        head.train(was_training)


def clicked_regions(coarse: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the regions of clicks and of coarse logits (N, h, w) of the canvas, and their prompt maps."""
    regions = region_of(boxes_of(coarse, points, labels))
    return regions, maps_of_clicks(coarse, regions, points, labels)


def maps_of_clicks(coarse: Tensor, regions: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Return the prompt maps of clicks and of coarse logits (N, h, w) of the canvas."""
    seen = in_regions(torch.sigmoid(coarse), regions, REGION)
    return region_maps(regions, None, points, labels, seen[:, None])


@torch.no_grad()
def iou_of(logits: Tensor, regions: Tensor, masks: Tensor, boxes: Tensor | None = None) -> Tensor:
    """Return the IoU (N,) of logits of regions (N, 4) with true masks (N, h, w) of the whole canvas.

    What a region cuts off of a thing is missing in its mask. With boxes, the mask ends at them, as in use.
    """
    x, y = cells(regions, MASK)
    left, top, right, bottom = (torch.tensor([[0.0, 0.0, SIZE, SIZE]]) if boxes is None else boxes)[:, None].unbind(2)
    inside = ((y > top) & (y < bottom))[:, :, None] & ((x > left) & (x < right))[:, None, :]
    found, expected = (logits > 0) & inside, in_regions(masks, regions, MASK) > 0.5
    cell = (regions[:, 2:] - regions[:, :2]).prod(1) / MASK**2
    common = (found & expected).sum((1, 2)) * cell
    whole = (masks > 0.5).sum((1, 2)) * float((SIZE / masks.shape[1]) ** 2)
    return (common / (found.sum((1, 2)) * cell + whole - common).clamp(min=1)).clamp(0, 1)


def cells_of(masks: Tensor) -> Tensor:
    """Return the cells (N, GRID, GRID) of things; those of a thing that fills none are those that it fills most."""
    share = F.adaptive_avg_pool2d(masks, GRID)
    return share > (share.amax((1, 2), keepdim=True) * 0.9).clamp(max=0.5)
