"""Regions of canvases and the maps of prompts, as `ovseg_core/lite` computes them for inference.

All coordinates are pixels of the canvas, with a pixel's centre at +0.5.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ovseg_core.lite import regions as numpy_regions
from ovseg_core.lite.regions import MARGIN, MIN_HALF
from ovseg_core.lite.shape import COARSE_STRIDE, REGION
from training.scenes import SIZE


def region_of(boxes: Tensor) -> Tensor:
    """Return the regions (N, 4) around boxes (N, 4)."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half.clamp(min=MIN_HALF) * MARGIN
    return torch.cat([centre - half, centre + half], 1)


def boxes_of(coarse: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Return the boxes (N, 4) that clicks select in coarse logits (N, h, w), as `ovseg_core.lite.regions` does."""
    clicks = [xy[on == 1].numpy() for xy, on in zip(points, labels, strict=True)]
    boxes = [
        numpy_regions.box_of(mask, COARSE_STRIDE, xy) for mask, xy in zip(coarse.detach().numpy(), clicks, strict=True)
    ]
    return torch.from_numpy(np.stack(boxes))


def cells(regions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the canvas coordinates x (N, size) and y (N, size) of the centres of a region's cells."""
    steps = (torch.arange(size, dtype=regions.dtype) + 0.5) / size
    x0, y0, x1, y1 = regions[:, None].unbind(2)
    return x0 + (x1 - x0) * steps, y0 + (y1 - y0) * steps


def sampled(feature: Tensor, stride: int, of: Tensor, regions: Tensor, size: int, centre: float = 0.5) -> Tensor:
    """Resample the maps (B, C, h, w) of the canvases `of` (N,) to regions: (N, C, size, size), 0 beyond the canvas.

    `centre` is the position of cell 0 of a map: strided convolutions with symmetric padding are centred on stride * i +
    0.5. The filter is a triangle, bilinear for small regions and as wide as a cell for large ones. It is separable,
    hence two matrix products.
    """
    x, y = cells(regions, size)
    pitch = (regions[:, 2:] - regions[:, :2]) / (size * stride)
    to_x = _filters((x - centre) / stride, pitch[:, 0], feature.shape[3])
    to_y = _filters((y - centre) / stride, pitch[:, 1], feature.shape[2])
    channels, height = feature.shape[1:3]
    across = feature.permute(0, 3, 2, 1).flatten(2)  # B, w, h * C
    if len(feature) == len(regions):
        columns = to_x @ across
    else:
        columns = torch.cat([to_x[of == i].flatten(0, 1) @ across[i] for i in range(len(feature))])
    columns = columns.view(-1, size, height, channels).transpose(1, 2).flatten(2)  # N, h, size * C
    return (to_y @ columns).view(-1, size, size, channels).permute(0, 3, 1, 2)


def in_regions(maps: Tensor, regions: Tensor, size: int) -> Tensor:
    """Resample one map (N, h, w) of the canvas to each region: (N, size, size)."""
    stride = SIZE // maps.shape[1]
    with torch.autocast("cpu", enabled=False):  # they are targets
        return sampled(maps[:, None], stride, torch.arange(len(maps)), regions, size, stride / 2)[:, 0]


def on_canvas(of_regions: Tensor, regions: Tensor, size: int) -> Tensor:
    """Resample maps (N, h, w) of regions (N, 4) to the whole canvas: (N, size, size), 0 outside of the region."""
    centres = (torch.arange(size) + 0.5) * (SIZE / size)
    place = 2 * (centres - regions[:, :2, None]) / (regions[:, 2:] - regions[:, :2])[..., None] - 1  # N, 2, size
    grid = torch.stack([place[:, 0, None].expand(-1, size, -1), place[:, 1, :, None].expand(-1, -1, size)], 3)
    return F.grid_sample(of_regions[:, None], grid, align_corners=False)[:, 0]


def _filters(position: Tensor, pitch: Tensor, length: int) -> Tensor:
    """Weights (N, size, length) of a map's cells for samples at `position` (N, size) that are `pitch` (N,) apart."""
    reach = pitch.clamp(min=1.0)[:, None, None]
    distance = (position[:, :, None] - torch.arange(length, dtype=position.dtype)).abs()
    return (1 - distance / reach).clamp(min=0) / reach


def at_clicks(feature: Tensor, stride: int, of: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of the maps (N, C) at the positive clicks.

    `points` is (N, K, 2). `labels` is (N, K): 1, 0, or -1 for an unused entry.
    """
    height, width = feature.shape[2:]
    x = (2 * (points[..., 0] - 0.5) / stride + 1) / width - 1
    y = (2 * (points[..., 1] - 0.5) / stride + 1) / height - 1
    grid = torch.stack([x, y], 2)
    weight = (labels == 1).float()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    found = torch.cat(
        [
            F.grid_sample(feature[i : i + 1], grid[of == i][None], align_corners=False, padding_mode="border")[0]
            for i in range(len(feature))
        ],
        1,
    )  # C, N, K
    return (found * weight).sum(2).T


def click_maps(points: Tensor, labels: Tensor, size: tuple[int, int], stride: int, sigma: float) -> Tensor:
    """Draw positive and negative clicks as bumps (N, 2, h, w) of width sigma, in pixels of the canvas."""
    y = torch.arange(size[0], dtype=points.dtype) * stride + 0.5
    x = torch.arange(size[1], dtype=points.dtype) * stride + 0.5
    return _bumps(points, labels, x[None, None] - points[..., :1], y[None, None] - points[..., 1:], sigma, sigma)


def region_maps(regions: Tensor, boxes: Tensor | None, points: Tensor, labels: Tensor, coarse: Tensor | None) -> Tensor:
    """Draw the prompt maps of the mask head (N, MAPS, 32, 32), as `ovseg_core.lite.prompt_maps.of_region` does.

    A label of -1 marks an unused click.
    """
    n = len(regions)
    x, y = cells(regions, REGION)
    ones = torch.ones(n, REGION, REGION)
    if boxes is None:
        inside = torch.zeros(n, REGION, REGION)
    else:
        in_x = ((x > boxes[:, :1]) & (x < boxes[:, 2:3])).float()
        in_y = ((y > boxes[:, 1:2]) & (y < boxes[:, 3:4])).float()
        inside = in_y[:, :, None] * in_x[:, None, :]
    cell = (regions[:, 2:] - regions[:, :2]) / REGION
    bumps = _bumps(
        points, labels, x[:, None] - points[..., :1], y[:, None] - points[..., 1:], 1.5 * cell[:, :1], 1.5 * cell[:, 1:]
    )
    place = torch.linspace(-1, 1, REGION)
    sides = torch.log(cell * REGION / 128)
    return torch.cat(
        [
            inside[:, None],
            bumps,
            torch.zeros(n, 1, REGION, REGION) if coarse is None else coarse,
            (ones * place[None, None, :])[:, None],
            (ones * place[None, :, None])[:, None],
            ones[:, None] * sides[:, :1, None, None],
            ones[:, None] * sides[:, 1:, None, None],
        ],
        1,
    )


def _bumps(
    points: Tensor, labels: Tensor, dx: Tensor, dy: Tensor, sigma_x: Tensor | float, sigma_y: Tensor | float
) -> Tensor:
    if isinstance(sigma_x, Tensor) and isinstance(sigma_y, Tensor):
        sigma_x, sigma_y = sigma_x[:, None], sigma_y[:, None]
    gx, gy = torch.exp(-((dx / sigma_x) ** 2) / 2), torch.exp(-((dy / sigma_y) ** 2) / 2)
    bump = gy[..., :, None] * gx[..., None, :]  # N, K, h, w
    return torch.stack(
        [(bump * (labels == label).float()[..., None, None]).amax(1) for label in (1, 0)],
        1,
    )
