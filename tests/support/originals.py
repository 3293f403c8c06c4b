"""Make the original implementations importable without torchvision and timm, which need a torch of their own.

The few functions that they really use are replaced here: a resize, by Pillow's, what makes a tensor of an image, an
initialiser, and non-maximum suppression.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image


@contextmanager
def importable() -> Iterator[None]:
    """Provide the replacements while the block runs; after it, imports find the installed packages again, or none."""
    import torch
    from torch import nn

    with mock.patch.dict(sys.modules):
        boxes, transforms, functional = _modules("torchvision", "ops.boxes", "transforms", "transforms.functional")
        boxes.batched_nms, boxes.box_area = batched_nms, box_area
        transforms.Compose = _one_after_another
        transforms.ToTensor = lambda: lambda pixels: torch.from_numpy(pixels.transpose(2, 0, 1) / np.float32(255))
        transforms.Normalize = _normalising
        functional.to_pil_image = Image.fromarray
        functional.resize = lambda picture, hw: picture.resize(hw[::-1], Image.Resampling.BILINEAR)
        layers, registry = _modules("timm", "models.layers", "models.registry")
        layers.DropPath = nn.Identity
        layers.to_2tuple = lambda side: (side, side)
        layers.trunc_normal_ = nn.init.trunc_normal_
        registry.register_model = lambda build: build
        yield


def _one_after_another(steps: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    return lambda image: reduce(lambda value, step: step(value), steps, image)


def _normalising(mean: Sequence[float], std: Sequence[float]) -> Callable[[Any], Any]:
    """Return a function that normalises a tensor (3, h, w)."""
    return lambda image: (image - image.new_tensor(mean)[:, None, None]) / image.new_tensor(std)[:, None, None]


def box_area(boxes_xyxy: Any) -> Any:
    """Return the areas (N,) of boxes (N, 4)."""
    return (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """Return the indices of the boxes (N, 4) to keep, for one category: the plain definition, a pair at a time."""
    import torch

    assert not idxs.any()
    areas = box_area(boxes)
    kept: list[int] = []
    for i in torch.argsort(scores, descending=True, stable=True).tolist():
        low, high = torch.maximum(boxes[i, :2], boxes[kept, :2]), torch.minimum(boxes[i, 2:], boxes[kept, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        if not ((common / (areas[i] + areas[kept] - common)).double() > iou_threshold).any():
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


def _modules(package: str, *names: str) -> list[Any]:
    """Put empty modules in the place of the package's modules, and return them."""
    found: dict[str, Any] = {}
    for name in names:
        parts = f"{package}.{name}".split(".")
        for i in range(1, len(parts) + 1):
            path = ".".join(parts[:i])
            found[path] = sys.modules[path] = found.get(path) or types.ModuleType(path)
    return [found[f"{package}.{name}"] for name in names]
