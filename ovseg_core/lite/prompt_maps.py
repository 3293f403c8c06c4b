"""Prompts drawn as maps, as input of convolutions (as in RITM; Sofiiuk et al., 2021). Coordinates are canvas pixels."""

from __future__ import annotations

import numpy as np

from ovseg_core.lite.geometry import CONV_CENTRE, cells
from ovseg_core.lite.shape import MAPS, REGION


def of_region(
    regions: np.ndarray,  # N, 4
    boxes: np.ndarray | None,  # N, 4
    points: np.ndarray | None,  # N, P, 2
    labels: np.ndarray | None,  # N, P: 1 on the object, 0 not on it
    coarse: np.ndarray | None,  # N, REGION, REGION: probability of the object
) -> np.ndarray:
    """Return the prompt maps of the mask head (N, MAPS, REGION, REGION).

    They are: the inside of the box; clicks on the object; clicks off the object; the coarse mask; x and y from -1 to 1;
    the logarithms of the region's two sides. A map is zero if the prompts lack its input.
    """
    size = REGION
    maps = np.zeros((len(regions), MAPS, size, size), np.float32)
    x, y = cells(regions[:, 0], regions[:, 2], size), cells(regions[:, 1], regions[:, 3], size)
    sides = regions[:, 2:] - regions[:, :2]
    if boxes is not None:
        in_x = (x > boxes[:, :1]) & (x < boxes[:, 2:3])
        in_y = (y > boxes[:, 1:2]) & (y < boxes[:, 3:4])
        maps[:, 0] = in_y[:, :, None] & in_x[:, None, :]
    if points is not None and labels is not None:
        maps[:, 1:3] = _bumps(x, y, points, labels, 1.5 * sides / size)
    if coarse is not None:
        maps[:, 3] = coarse
    maps[:, 4] = np.linspace(-1, 1, size, dtype=np.float32)
    maps[:, 5] = np.linspace(-1, 1, size, dtype=np.float32)[:, None]
    maps[:, 6:] = np.log(sides / 128)[:, :, None, None]
    return maps


def of_canvas(points: np.ndarray, labels: np.ndarray, hw: tuple[int, int], stride: int, sigma: float) -> np.ndarray:
    """Return the clicks on and off the object as Gaussian bumps (N, 2, h, w), on a grid with a stride of the canvas."""
    count = len(points)
    x = np.tile(np.arange(hw[1], dtype=np.float32) * stride + CONV_CENTRE, (count, 1))
    y = np.tile(np.arange(hw[0], dtype=np.float32) * stride + CONV_CENTRE, (count, 1))
    return _bumps(x, y, points, labels, np.full((count, 2), sigma, np.float32))


def _bumps(x: np.ndarray, y: np.ndarray, points: np.ndarray, labels: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return Gaussians of width sigma (N, 2) around the clicks, at cells x (N, w) and y (N, h): (N, 2, h, w).

    Where clicks with the same label overlap, the value is the largest.
    """
    over_x = np.exp(-(((x[:, None] - points[..., :1]) / sigma[:, None, :1]) ** 2) / 2)
    over_y = np.exp(-(((y[:, None] - points[..., 1:]) / sigma[:, None, 1:]) ** 2) / 2)
    has_label = labels[:, None] == np.array([[1], [0]])  # N, 2, P
    over_y_of_label = has_label[..., None] * over_y[:, None].astype(np.float32)  # N, 2, P, h
    bumps: np.ndarray = (over_y_of_label[..., :, None] * over_x[:, None, :, None].astype(np.float32)).max(2)
    return bumps
