"""`grounding_dino.levels.Levels` computed inside a graph, for an image whose size is known only when it runs."""

from __future__ import annotations

import numpy as np

from ovseg_core.grounding_dino import levels
from ovseg_core.grounding_dino import sine as sines
from ovseg_core.grounding_dino.levels import Levels
from ovseg_core.paddle_inference import sine
from ovseg_core.quiet_paddle import nn, paddle


class LevelsLayer(nn.Layer):
    """Computes the levels of an image on a canvas from its height and width."""

    def __init__(self, canvas_hw: tuple[int, int], channels: int) -> None:
        super().__init__()
        grids = levels.sizes(canvas_hw)
        self.count = len(grids)
        places = [np.mgrid[:h, :w].reshape(2, -1)[::-1].T for h, w in grids]  # x and y of each position
        arrays = {
            "places": np.concatenate(places).astype(np.float32),
            "level": np.repeat(np.arange(self.count), [len(of_level) for of_level in places]),
            "grid_wh": np.array([(w, h) for h, w in grids], np.float32),
            "sides": levels.sides(grids).astype(np.float32),
            "rates": sines.rates(channels // 2, levels.TEMPERATURE),
        }
        for name, array in arrays.items():
            self.register_buffer(name, paddle.to_tensor(array), persistable=False)
        for axis, name in enumerate(("rows", "columns")):
            starts = [levels.first_pixels(hw[axis], canvas_hw[axis]) for hw in grids]
            for i, of_level in enumerate(starts):
                self.register_buffer(f"{name}{i}", paddle.to_tensor(of_level.astype(np.float32)), persistable=False)

    def forward(self, height: paddle.Tensor, width: paddle.Tensor) -> Levels:
        """Return the levels as tensors."""
        extents = paddle.stack([self._extent("columns", width), self._extent("rows", height)], axis=1)  # levels, 2
        extent = extents.gather(self.level)  # L, 2
        is_image = (self.places < extent).all(axis=1)
        centres, shares = (self.places + 0.5) / extent, extents / self.grid_wh
        boxes = paddle.concat([centres, self.sides], axis=1)
        proposes = is_image & ((boxes > levels.EDGE) & (boxes < 1 - levels.EDGE)).all(axis=1)
        nothing = paddle.full_like(boxes, levels.NOTHING)
        inside = boxes.clip(levels.EDGE, 1 - levels.EDGE)  # elsewhere the logarithm would not be a number
        proposals = paddle.where(proposes.unsqueeze(1), paddle.log(inside / (1 - inside)), nothing)
        return Levels(
            is_image.astype("float32"),
            self._embedding(extent),
            centres.unsqueeze(1) * shares,
            shares,
            proposals,
            proposes.astype("float32"),
        )

    def _extent(self, name: str, side: paddle.Tensor) -> paddle.Tensor:
        counts = [(getattr(self, f"{name}{i}") < side).astype("float32").sum() for i in range(self.count)]
        return paddle.stack(counts)

    def _embedding(self, extent: paddle.Tensor) -> paddle.Tensor:
        """Return the embedding (L, C). That of positions beyond the image is not used."""
        x, y = ((self.places + 1) / (extent + 1e-6)).unbind(1)
        return paddle.concat([sine.embedding(share, self.rates) for share in (y, x)], axis=1)
