"""Random prompts like those of people: loose boxes, and clicks, many of them in the errors of the current masks."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from training.scenes import SIZE

MOST = 4  # clicks of a prompt
GRID = 128  # cells along a side of the canvas, for the masks in whose errors clicks are placed
SEVERAL = 0.33  # of the prompts of clicks have more than one
WITH_BOX = 0.35  # of the boxes have a click too
RANDOM = 0.25  # of the further clicks are anywhere on the thing or next to it

Masks = Callable[[Tensor, Tensor, Tensor], Tensor]  # which prompts (M,), their points, their labels -> (M, GRID, GRID)


def loose(boxes: Tensor) -> Tensor:
    """Move the sides of half of the boxes (N, 4) by about 6 %, at most 20 pixels. The other half stays as it is."""
    side = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    limit = torch.minimum(side * 0.2, torch.tensor(20.0))
    shift = torch.randn_like(boxes) * side * 0.06 * (torch.rand(len(boxes), 1) < 0.5)
    return (boxes + shift.clamp(-limit, limit)).clamp(0, SIZE)


def clicks_with_box(positives: Tensor, negatives: Tensor, expected: Tensor, masks: Masks) -> tuple[Tensor, Tensor]:
    """Return points (N, MOST, 2) and labels (N, MOST): no click for most boxes, and one or two for the others."""
    n = len(positives)
    count = (torch.rand(n) < WITH_BOX) * torch.where(torch.rand(n) < 0.3, 2, 1)
    points, labels = torch.zeros(n, MOST, 2), torch.full((n, MOST), -1)
    return _clicked(points, labels, count, 0, (positives, negatives, expected), masks)


def clicks_alone(positives: Tensor, negatives: Tensor, expected: Tensor, masks: Masks) -> tuple[Tensor, Tensor]:
    """Return one positive click for two thirds of the things, and up to `MOST` clicks for the others.

    Args:
        positives: (N, CLICKS, 2), clicks on the things; the first one begins the prompt.
        negatives: the same next to the things.
        expected: (N, GRID, GRID), true for the cells of the things.
        masks: the masks that the network has for prompts now.

    Returns:
        Points (N, MOST, 2) and labels (N, MOST): 1, 0, or -1 for an unused entry.
    """
    n = len(positives)
    count = torch.where(torch.rand(n) < SEVERAL, torch.randint(2, MOST + 1, (n,)), 1)
    points, labels = torch.zeros(n, MOST, 2), torch.full((n, MOST), -1)
    points[:, 0], labels[:, 0] = positives[:, 0], 1
    return _clicked(points, labels, count, 1, (positives, negatives, expected), masks)


def _clicked(
    points: Tensor, labels: Tensor, count: Tensor, first: int, thing: tuple[Tensor, Tensor, Tensor], masks: Masks
) -> tuple[Tensor, Tensor]:
    """Add clicks to prompts one by one, each in the error of the mask before it, or at random."""
    positives, negatives, expected = thing
    for number in range(first, int(count.max()) if len(count) else 0):
        (which,) = torch.nonzero(count > number, as_tuple=True)
        found = masks(which, points[which], labels[which])
        where, label = corrections(found, expected[which])
        on = torch.rand(len(which)) < 0.5
        anywhere = torch.where(on[:, None], positives[which, number % 3], negatives[which, number % 3])
        random = torch.rand(len(which)) < RANDOM
        points[which, number] = torch.where(random[:, None], anywhere, where)
        labels[which, number] = torch.where(random, on.long(), label)
    return points, labels


def corrections(found: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Return clicks (N, 2) in the middle of the larger errors of masks (N, GRID, GRID), or nearly, and labels (N,)."""
    missing, extra = expected & ~found, found & ~expected
    label = missing.sum((1, 2)) >= extra.sum((1, 2))
    error = torch.where(label[:, None, None], missing, extra)
    error = torch.where(error.any(2).any(1)[:, None, None], error, expected)
    nearly = torch.tensor([1.0, 0.8, 0.5])[torch.randint(0, 3, (len(found),))]
    order = torch.rand(len(found))
    cells = [
        _deep(one, float(least), float(part)) for one, least, part in zip(error.numpy(), nearly, order, strict=True)
    ]
    spread = torch.rand(len(found), 2) * 0.5 + 0.25
    return (torch.from_numpy(np.array(cells, np.float32).reshape(-1, 2)) + spread) * (SIZE / GRID), label.long()


def _deep(error: np.ndarray, least: float, part: float) -> tuple[int, int]:
    """Return x and y of a cell that is at least `least` times as far from the edge of the error as the farthest one."""
    depth = cv2.distanceTransform(np.pad(error.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    deep = np.flatnonzero(depth >= depth.max() * least)
    y, x = divmod(int(deep[int(part * len(deep))]), GRID)
    return x, y
