"""Random prompts like those of people, made from a scene: loose boxes, boxes with clicks, one or several clicks."""

from __future__ import annotations

import torch
from torch import Tensor

from training.scenes import SIZE


def loose(boxes: Tensor) -> Tensor:
    """Move the sides of half of the boxes (N, 4) by about 6 %, at most 20 pixels. The other half stays as it is."""
    side = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    limit = torch.minimum(side * 0.2, torch.tensor(20.0))
    shift = torch.randn_like(boxes) * side * 0.06 * (torch.rand(len(boxes), 1) < 0.5)
    return (boxes + shift.clamp(-limit, limit)).clamp(0, SIZE)


def clicks_with_box(positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Return points (N, K, 2) and labels (N, K): no click for most boxes, up to two of each kind for the others."""
    n = len(positives)
    some = torch.rand(n, 1) < 0.35
    plus = some & (torch.arange(2) < torch.randint(0, 3, (n, 1)))
    minus = some & (torch.arange(2) < torch.randint(0, 3, (n, 1)))
    return _listed(positives[:, 1:3], negatives[:, 1:3], plus, minus)


def clicks_alone(positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Return one positive click for most things; up to three positive and up to two negative ones for the others."""
    n = len(positives)
    more = torch.rand(n, 1) < 0.35
    plus = torch.arange(3) < torch.where(more, torch.randint(1, 4, (n, 1)), 1)
    minus = more & (torch.arange(2) < torch.randint(0, 3, (n, 1)))
    return _listed(positives, negatives[:, :2], plus, minus)


def _listed(positives: Tensor, negatives: Tensor, plus: Tensor, minus: Tensor) -> tuple[Tensor, Tensor]:
    points = torch.cat([positives, negatives], 1)
    labels = torch.cat([torch.where(plus, 1, -1), torch.where(minus, 0, -1)], 1)
    return points, labels
