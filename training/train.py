"""`python -m training train`: train the wide SAM-Lite from ImageNet weights; training resumes from a checkpoint."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from ovseg_core.lite.shape import MASK, REGION
from training import prompts, scenes, wide
from training.network import SamLite, boxes_of, region_maps, region_of, sampled

Net = wide.SamLite | SamLite

EMA = 0.998
WARM_UP = 100  # steps
CHECKPOINT_EVERY = 200  # steps


@dataclass(frozen=True)
class Schedule:
    steps: int
    images: int = 4  # per step
    slots: int = 4  # prompted things per image, each with a box and with clicks
    rate: float = 1.2e-3  # learning rate of the parameters that start at random
    backbone_rate: float = 2e-4
    frozen_stages: int = 3  # of the backbone, with its stem
    seed: int = 0


class Stream(IterableDataset[scenes.Scene]):
    def __init__(self, data: Path, out: Path, schedule: Schedule, first_step: int) -> None:
        self.data, self.out, self.schedule, self.first_step = data, out, schedule, first_step

    def __iter__(self) -> Iterator[scenes.Scene]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        seed = self.schedule.seed * 1_000_003 + self.first_step * 101 + (info.id if info else 0)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        cv2.setRNGSeed(seed % 2**31)
        train, _ = scenes.photos(self.data)
        emoji = scenes.emoji(self.out / "emoji")
        yield from scenes.Scenes(train, emoji, self.schedule.slots)


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


@dataclass(frozen=True)
class Lesson:
    """The student's outputs for a batch, and its inputs, which the teacher needs to compute its own outputs."""

    click_points: Tensor  # (N, K, 2)
    click_labels: Tensor  # (N, K)
    coarse: Tensor  # (N, CANDIDATES, h, w), for the clicks
    share: Tensor  # (N,), share of the canvas in a thing's box
    of: Tensor  # (2 * N,), the image of each region; boxes and clicks in the order of their images
    regions: Tensor  # (2 * N, 4)
    drawn: Tensor  # (2 * N, MAPS, REGION, REGION)
    logits: Tensor  # (2 * N, MASK, MASK)


def losses(net: Net, maps: list[Tensor], b: Batch) -> tuple[dict[str, Tensor], Lesson]:
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
    values = {
        "box": refined[:n].mean(),
        "click": refined[n:].mean(),
        "coarse": click_loss,
        "score": F.mse_loss(score, iou) + F.mse_loss(guess, coarse_iou),
        "iou_box": iou[:n].mean().detach(),
        "iou_click": (iou[n:] * taught[n:]).sum().detach() / taught[n:].sum(),
        "iou_coarse": coarse_iou.max(1).values.mean().detach(),
    }
    return values, Lesson(points, labels, coarse, share, of[twice], regions[twice], drawn[twice], in_order)


def summed(values: dict[str, Tensor]) -> Tensor:
    return values["box"] + values["click"] + 0.3 * values["coarse"] + values["score"]


def groups(net: wide.SamLite, schedule: Schedule) -> list[dict[str, object]]:
    """Return the parameters to train: the backbone at a low rate, biases and norms without weight decay."""
    encoder = net.image_encoder
    encoder.frozen_stages = schedule.frozen_stages
    for part in (encoder.stem, *encoder.stages[: schedule.frozen_stages]):
        part.requires_grad_(False)
    for stage in encoder.stages:
        for block in stage:
            block.depthwise.requires_grad_(False)  # their gradients take a tenth of a step and change little
    sorted_out: dict[tuple[float, float], list[Tensor]] = defaultdict(list)
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            backbone = name.startswith("image_encoder.stages")
            rate = schedule.backbone_rate if backbone else schedule.rate
            sorted_out[rate, 0.02 if parameter.ndim > 1 else 0.0].append(parameter)
    return [
        {"params": parameters, "lr": rate, "base": rate, "weight_decay": decay}
        for (rate, decay), parameters in sorted_out.items()
    ]


def averaged(kept: list[Tensor], now: list[Tensor], seen: Tensor | int) -> None:
    """Update the averaged weights after a step.

    They follow quickly at first: otherwise a short training would keep the random start.
    """
    share = 1 - min(EMA, (1 + int(seen)) / (10 + int(seen)))
    for average, value in zip(kept, now, strict=True):
        if average.is_floating_point():
            average.lerp_(value, share)
        else:
            average.copy_(value)  # the number of batches that a norm has processed


def restored(checkpoint: Path, parts: dict[str, Any]) -> int:
    """Restore the state of the parts from a checkpoint, if it exists. Return the number of steps that were done."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def save(checkpoint: Path, parts: dict[str, Any], step: int) -> None:
    """Write the checkpoint. A crash leaves either the old file or the new one."""
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({**state, "step": step}, checkpoint.with_suffix(".part"))
    checkpoint.with_suffix(".part").replace(checkpoint)


def train(data: Path, out: Path, schedule: Schedule, threads: int) -> None:
    """Train the wide network. Writes `wide.pt` to `out`, or resumes from it if it exists."""
    torch.set_num_threads(threads)
    torch.manual_seed(schedule.seed)
    net = wide.SamLite().to(memory_format=torch.channels_last)
    net.image_encoder.load_imagenet()

    def loss(b: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        values, _ = losses(net, net.image_encoder(b.pixels), b)
        return summed(values), values

    fit(net, groups(net, schedule), loss, data, out / "wide.pt", schedule)


def fit(
    net: Net,
    groups: list[dict[str, Any]],
    loss: Callable[[Batch], tuple[Tensor, dict[str, Tensor]]],
    data: Path,
    checkpoint: Path,
    schedule: Schedule,
) -> None:
    """Run AdamW over a schedule, from a checkpoint or from the start. `loss` also returns the values for the log."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), foreach=True)
    average = AveragedModel(net, multi_avg_fn=averaged, use_buffers=True)
    parts = {"net": net, "average": average, "optimizer": optimizer}
    done = restored(checkpoint, parts)
    torch.manual_seed(schedule.seed + done)
    loader = DataLoader(
        Stream(data, checkpoint.parent, schedule, done),
        batch_size=schedule.images,
        collate_fn=batch,
        num_workers=1,
        prefetch_factor=8,
        multiprocessing_context="spawn",  # a forked process hangs if OpenMP threads of its parent have already worked
    )
    history: dict[str, list[float]] = defaultdict(list)
    parameters = [p for p in net.parameters() if p.requires_grad]
    started = time.monotonic()
    with tqdm(total=schedule.steps, initial=done, unit="step", mininterval=20, ascii=True) as bar:
        for step, b in zip(range(done, schedule.steps), loader, strict=False):
            part = step / schedule.steps
            factor = min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * part))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            total, values = loss(b)
            total.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0, foreach=True)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            average.update_parameters(net)
            for name, value in values.items():
                history[name].append(float(value.detach()))
            bar.update()
            if (step + 1) % 50 == 0:
                recent = " ".join(f"{name} {np.mean(v[-50:]):.3f}" for name, v in history.items())
                bar.write(f"{step + 1} {time.monotonic() - started:.0f} s: {recent}")
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == schedule.steps:
                save(checkpoint, parts, step + 1)
