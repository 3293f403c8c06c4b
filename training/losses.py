"""What a step of training minimises: the losses of the masks of a batch of prompted things."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ovseg_core.lite.shape import MASK
from training import prompts, scenes
from training.drafts import Drafts, cells_of, iou_of, maps_of_clicks
from training.geometry import boxes_of, in_regions, region_maps, region_of
from training.network import SamLite

SHARPNESS = 8.0  # of the choice among candidates by their scores
JUDGED = 0.3  # of the prompts of clicks: all their candidates are refined, and teach the locator's scores


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


def mask_losses(logits: Tensor, target: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Return cross entropy plus dice (N, ...) over the last two axes."""
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none")).mean((-2, -1)) * weight
    p = torch.sigmoid(logits)
    return entropy + 1 - (2 * (p * target).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + target.sum((-2, -1)) + 1)


def losses(net: SamLite, maps: list[Tensor], b: Batch) -> dict[str, Tensor]:
    """Compute the losses of all prompts of a batch from its maps: every thing once with its box, once with clicks."""
    n = len(b.of)
    drafts, things = Drafts(net, maps, b.of, b.masks), (b.positives, b.negatives, cells_of(b.masks))
    points, labels = prompts.clicks_alone(*things, drafts.of_clicks)
    count = (labels >= 0).sum(1)
    coarse, guess = net.locator(maps, b.of, points, labels)
    of_each = coarse_losses(coarse, b)
    best = of_each.argmin(1)
    others = torch.where(count > 1, 0.3, 0.06)  # the share of the other candidates: several clicks are less ambiguous
    coarse_loss = (1 - others) * of_each.amin(1) + others * of_each.mean(1)

    candidate = candidates_to_refine(best, guess)
    chosen = coarse[torch.arange(n), candidate].detach()
    is_located = (candidate == best) & (torch.rand(n) < 0.2)
    regions = region_of(torch.where(is_located[:, None], prompts.loose(b.boxes), boxes_of(chosen, points, labels)))
    by_click = regions, maps_of_clicks(chosen, regions, points, labels)

    boxes = prompts.loose(b.boxes)
    box_clicks = prompts.clicks_with_box(*things, partial(drafts.of_boxes, boxes))
    by_box = region_of(boxes), region_maps(region_of(boxes), boxes, *box_clicks, None)

    logits, score = refined(net, maps, b.of, *(torch.cat(pair) for pair in zip(by_box, by_click, strict=True)))
    mask_loss = mask_losses(logits, torch.cat([in_regions(b.masks, r, MASK) for r in (by_box[0], regions)]))
    iou = torch.cat([iou_of(logits[:n], by_box[0], b.masks, boxes), iou_of(logits[n:], regions, b.masks)])
    is_taught = (candidate == best) | (count > 2)  # three clicks select one thing, whatever candidate is refined
    judged = torch.randperm(n)[: max(1, round(JUDGED * n))].sort().values
    true, judgement = drafts.judged(judged, coarse[judged].detach(), points[judged], labels[judged])
    return {
        "box": mask_loss[:n].mean(),
        "click": (mask_loss[n:] * is_taught).mean(),
        "coarse": coarse_loss.mean(),
        "score": F.smooth_l1_loss(
            torch.cat([score[:n], judgement.flatten()]), torch.cat([iou[:n], true.flatten()]), beta=0.1
        )
        + F.mse_loss(guess[judged], true),
        "choice": choice_loss(guess, coarse, b),
        "iou_box": iou[:n].mean(),
        "iou_click": iou[n:].mean(),
        "iou_chosen": true.gather(1, guess[judged].argmax(1)[:, None]).mean(),
        "iou_judged": true.gather(1, judgement.argmax(1)[:, None]).mean(),
        "iou_best": true.amax(1).mean(),
        "off_box": (score[:n] - iou[:n]).detach().abs().mean(),
        "off_click": (judgement - true).detach().abs().mean(),
        "off_guess": (guess[judged] - true).detach().abs().mean(),
    }


def coarse_losses(coarse: Tensor, b: Batch) -> Tensor:
    """Return the losses (N, K) of the candidates (N, K, h, w) of clicks."""
    target = F.adaptive_avg_pool2d(b.masks, coarse.shape[2:])[:, None].expand_as(coarse)
    # cross entropy relative to the thing's size; without this, small things would not count
    share = ((b.boxes[:, 2:] - b.boxes[:, :2]).prod(1) * 2 / scenes.SIZE**2).clamp(0.05, 1)
    return mask_losses(coarse, target, (1 / share)[:, None])


def choice_loss(guess: Tensor, coarse: Tensor, b: Batch) -> Tensor:
    """Return what the candidates with the highest scores (N, K) miss of IoU: that of a soft choice of coarse masks."""
    expected = F.adaptive_avg_pool2d(b.masks, coarse.shape[2:])[:, None] > 0.5
    found = coarse.detach() > 0
    iou = (found & expected).sum((2, 3)) / (found | expected).sum((2, 3)).clamp(min=1)
    return (iou.amax(1) - (torch.softmax(SHARPNESS * guess, 1) * iou).sum(1)).mean()


def candidates_to_refine(best: Tensor, guess: Tensor) -> Tensor:
    """Return the best candidates (N,), and for some prompts those of the highest score, or any: all need a score."""
    drawn = torch.rand(len(best))
    chosen = torch.where(drawn < 0.3, guess.argmax(1), best)
    return torch.where(drawn < 0.15, torch.randint(0, guess.shape[1], best.shape), chosen)


def refined(net: SamLite, maps: list[Tensor], of: Tensor, regions: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Run the mask head on two prompts of each thing: first one of each of (N,) things, then the other."""
    twice = torch.argsort(torch.cat([of, of]), stable=True)  # prompts in the order of their images
    logits, score = net.mask_head(maps, torch.cat([of, of])[twice], regions[twice], drawn[twice])
    back = torch.argsort(twice)
    return logits[back], score[back]


def summed(values: dict[str, Tensor]) -> Tensor:
    return values["box"] + 1.2 * values["click"] + values["coarse"] + values["score"] + values["choice"]
