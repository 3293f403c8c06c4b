"""What a step of training minimises: the losses of the masks of a batch of prompted things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ovseg_core.lite.shape import MASK, REGION
from training import prompts, scenes
from training.geometry import boxes_of, region_maps, region_of, sampled
from training.network import SamLite


@dataclass(frozen=True)
class Batch:
    """A batch of N = images * slots prompted things."""

    pixels: Tensor  # (B, 3, SIZE, SIZE)
    of: Tensor  # (N,), the image of each thing
    masks: Tensor  # (N, SIZE / 2, SIZE / 2), 0 to 1
    boxes: Tensor  # (N, 4)
    positives: Tensor  # (N, CLICKS, 2)
    negatives: Tensor  # (N, CLICKS, 2)


def batch(of_scenes: list[scenes.Scene]) -> Batch:
    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([getattr(scene, name) for scene in of_scenes]))

    pixels = torch.from_numpy(np.stack([scene.image for scene in of_scenes])).permute(0, 3, 1, 2)
    slots = len(of_scenes[0].boxes)
    return Batch(
        ((pixels.float() - 127) / 128).contiguous(memory_format=torch.channels_last),
        torch.arange(len(of_scenes)).repeat_interleave(slots),
        stacked("masks").float() / 255,
        stacked("boxes"),
        stacked("positives"),
        stacked("negatives"),
    )


def mask_losses(logits: Tensor, target: Tensor, weight: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Return cross entropy plus dice (N, ...) over the last two axes, and the IoU at threshold 0."""
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none")).mean((-2, -1)) * weight
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * target).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + target.sum((-2, -1)) + 1)
    with torch.no_grad():
        found, expected = logits > 0, target > 0.5
        iou = (found & expected).sum((-2, -1)) / (found | expected).sum((-2, -1)).clamp(min=1)
    return entropy + dice, iou


def in_regions(maps: Tensor, regions: Tensor, size: int) -> Tensor:
    """Resample one map (N, h, w) of the canvas to each region: (N, size, size)."""
    stride = scenes.SIZE // maps.shape[1]
    return sampled(maps[:, None], stride, torch.arange(len(maps)), regions, size, stride / 2)[:, 0]


def losses(net: SamLite, maps: list[Tensor], b: Batch) -> dict[str, Tensor]:
    """Compute the losses of all prompts of a batch from its maps: every thing once with its box, once with clicks."""
    n = len(b.of)
    twice = torch.argsort(torch.cat([b.of, b.of]), stable=True)  # prompts in the order of their images

    points, labels = prompts.clicks_alone(b.positives, b.negatives)
    coarse, guess = net.locator(maps, b.of, points, labels)
    target = F.adaptive_avg_pool2d(b.masks, coarse.shape[2:])[:, None].expand_as(coarse)
    # cross entropy relative to the thing's size; without this, small things would not count
    share = ((b.boxes[:, 2:] - b.boxes[:, :2]).prod(1) * 2 / scenes.SIZE**2).clamp(0.05, 1)
    each, coarse_iou = mask_losses(coarse, target, (1 / share)[:, None])
    least, best = each.min(1)
    click_loss = (0.9 * least + 0.1 * each.mean(1)).mean()

    # The mask head refines the best candidate, and some of the others too, so that it learns to distinguish them.
    other = torch.rand(n) < 0.2
    candidate = torch.where(other, torch.randint(0, coarse.shape[1], (n,)), best)
    chosen = coarse[torch.arange(n), candidate].detach()
    box_boxes = prompts.loose(b.boxes)
    box_points, box_labels = prompts.clicks_with_box(b.positives, b.negatives)
    boxes = boxes_of(chosen, points, labels)
    right = torch.rand(n, 1) < 0.25
    boxes = torch.where(right & ~other[:, None], prompts.loose(b.boxes), boxes)
    regions = torch.cat([region_of(box_boxes), region_of(boxes)])
    seen = in_regions(torch.sigmoid(chosen), regions[n:], REGION)
    drawn = torch.cat(
        [
            region_maps(regions[:n], box_boxes, box_points, box_labels, None),
            region_maps(regions[n:], None, points, labels, seen[:, None]),
        ]
    )
    of = torch.cat([b.of, b.of])
    in_order, score = net.mask_head(maps, of[twice], regions[twice], drawn[twice])
    back = torch.argsort(twice)
    logits, score = in_order[back], score[back]
    expected = in_regions(torch.cat([b.masks, b.masks]), regions, MASK)
    refined, iou = mask_losses(logits, expected)
    taught = torch.cat([torch.ones(n), ((~other) | (candidate == best)).float()])
    refined = refined * taught
    return {
        "box": refined[:n].mean(),
        "click": refined[n:].mean(),
        "coarse": click_loss,
        "score": F.mse_loss(score, iou) + F.mse_loss(guess, coarse_iou),
        "iou_box": iou[:n].mean().detach(),
        "iou_click": (iou[n:] * taught[n:]).sum().detach() / taught[n:].sum(),
        "iou_coarse": coarse_iou.max(1).values.mean().detach(),
    }


def summed(values: dict[str, Tensor]) -> Tensor:
    return values["box"] + values["click"] + 0.3 * values["coarse"] + values["score"]
