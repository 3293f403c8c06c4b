"""The levels of an image: grids of positions with four strides, as rows of one array of L positions.

The image is at the top left of its canvas. Positions beyond the image are padding, which the network must not see. What
depends on the sizes alone is computed here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ovseg_core.grounding_dino import sine

STRIDES = (8, 16, 32, 64)  # canvas pixels
TEMPERATURE = 20.0  # of the sine embedding of positions
# The side of the box that a position of the finest level proposes, as a share of the image; each level doubles it
PROPOSAL_SIDE = 0.05
EDGE = 0.01  # a position whose box is nearer to 0 or 1 than this proposes nothing
NOTHING = 1e4  # the logits of the box that is proposed there; its sigmoid is 1, like that of the original's infinity


class Levels(NamedTuple):
    """What the network needs about the levels of one image, float32.

    Attributes:
        is_image: (L,): 1 in the image, 0 in its padding.
        embedding: (L, C): sine embedding of each position.
        references: (L, levels, 2): x and y of each position in every level, as shares of the level with padding.
        shares: (levels, 2): width and height of the image, as shares of the level with padding.
        proposals: (L, 4): the box that each position proposes, as logits of its centre and its size, both as shares of
            the image.
        proposes: (L,): 1 if the position may become a query, else 0.
    """

    is_image: np.ndarray
    embedding: np.ndarray
    references: np.ndarray
    shares: np.ndarray
    proposals: np.ndarray
    proposes: np.ndarray


def sizes(canvas_hw: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the height and width of each level of a canvas, in positions."""
    return [(-(-canvas_hw[0] // stride), -(-canvas_hw[1] // stride)) for stride in STRIDES]


def of(canvas_hw: tuple[int, int], image_hw: tuple[int, int], channels: int) -> Levels:
    """Return the levels of an image that has this height and width on the canvas."""
    grids = sizes(canvas_hw)
    extents = [tuple(map(_extent, hw, canvas_hw, image_hw)) for hw in grids]  # of the image on each grid, in positions
    shares = np.array([(w / grid_w, h / grid_h) for (h, w), (grid_h, grid_w) in zip(extents, grids, strict=True)])
    centres = np.concatenate([_centres(hw, extent) for hw, extent in zip(grids, extents, strict=True)])
    is_image = np.concatenate([_inside(hw, extent).flatten() for hw, extent in zip(grids, extents, strict=True)])
    embedding = [_embedding(_inside(hw, extent), channels) for hw, extent in zip(grids, extents, strict=True)]
    boxes = np.concatenate([centres, sides(grids)], axis=1)
    proposes = is_image & ((boxes > EDGE) & (boxes < 1 - EDGE)).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # beyond the image
        proposals = np.where(proposes[:, None], np.log(boxes / (1 - boxes)), NOTHING)
    arrays = (is_image, np.concatenate(embedding), centres[:, None] * shares, shares, proposals, proposes)
    return Levels(*(array.astype(np.float32) for array in arrays))


def _extent(grid: int, canvas: int, image: int) -> int:
    """Return how many positions of a grid are in the image, along one axis."""
    return int(np.count_nonzero(first_pixels(grid, canvas) < image))


def first_pixels(grid: int, canvas: int) -> np.ndarray:
    """Return the first pixel of each position of a grid along one axis, as torch resizes masks."""
    pixels: np.ndarray = np.floor(np.arange(grid) * np.float32(canvas / grid))
    return pixels


def _inside(hw: tuple[int, int], extent: tuple[int, ...]) -> np.ndarray:
    """Return (h, w) bool: the positions of a grid in the image."""
    inside: np.ndarray = (np.arange(hw[0])[:, None] < extent[0]) & (np.arange(hw[1]) < extent[1])
    return inside


def _centres(hw: tuple[int, int], extent: tuple[int, ...]) -> np.ndarray:
    """Return x and y (h*w, 2) of each position of a grid, as shares of the image."""
    y, x = np.mgrid[: hw[0], : hw[1]].reshape(2, -1) + 0.5
    return np.stack([x / extent[1], y / extent[0]], axis=1)


def sides(grids: list[tuple[int, int]]) -> np.ndarray:
    """Return width and height (L, 2) of the box that each position proposes, as shares of the image."""
    sides = [np.full((h * w, 2), PROPOSAL_SIDE * 2**level) for level, (h, w) in enumerate(grids)]
    return np.concatenate(sides)


def _embedding(inside: np.ndarray, channels: int) -> np.ndarray:
    """Return the embedding (h*w, C) of each position: half of the channels for y, then half for x.

    The coordinates count the positions in the image, and end at 1.
    """
    rows, columns = (inside.cumsum(axis, dtype=np.float32) for axis in (0, 1))
    y, x = rows / (rows[-1:] + 1e-6), columns / (columns[:, -1:] + 1e-6)
    embedded = [sine.embedding(share.flatten(), channels // 2, TEMPERATURE) for share in (y, x)]
    return np.concatenate(embedded, axis=1)
