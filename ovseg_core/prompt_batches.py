"""From prompts in pixels of an image to batches in canvas pixels, as a network takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ovseg_core import low_res_mask
from ovseg_core.canvas import Frame
from ovseg_core.network import PromptBatch
from ovseg_core.prompts import Prompt


def by_shape(prompts: Sequence[Prompt], max_size: int) -> Iterator[dict[int, Prompt]]:
    """Yield groups of at most `max_size` prompts of the same shape, each a dictionary from index to prompt.

    Prompts of different shapes never share a batch. Padding a prompt with empty points would change its mask, and the
    mask would depend on the other prompts.
    """
    shapes: dict[tuple[bool, int, bool], dict[int, Prompt]] = defaultdict(dict)
    for i, prompt in enumerate(prompts):
        shapes[prompt.box is not None, len(prompt.points), prompt.mask is not None][i] = prompt
    for of_shape in shapes.values():
        items = list(of_shape.items())
        for start in range(0, len(items), max_size):
            yield dict(items[start : start + max_size])


def of(prompts: Sequence[Prompt], frame: Frame, mask_stride: int) -> PromptBatch:
    """Return prompts of the same shape as a batch.

    Args:
        prompts: in pixels of the image.
        frame: the position of the image on the canvas.
        mask_stride: side of a cell of their masks, in canvas pixels.
    """
    has_box, has_points, scale_xy = prompts[0].box is not None, bool(prompts[0].points), frame.scale_xy
    masks = [low_res_mask.of(prompt.mask, frame, mask_stride) for prompt in prompts if prompt.mask is not None]
    return PromptBatch(
        boxes=(np.array([p.box for p in prompts]) * np.tile(scale_xy, 2)).astype(np.float32) if has_box else None,
        points=(np.array([p.points for p in prompts]) * scale_xy).astype(np.float32) if has_points else None,
        labels=np.array([p.labels for p in prompts], np.float32) if has_points else None,
        mask_inputs=np.stack(masks) if masks else None,
    )
