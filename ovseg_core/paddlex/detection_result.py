"""The result of `open_vocabulary_detection`, in PaddleX's words."""

from __future__ import annotations

import builtins
import json
from typing import Any

import numpy as np

from ovseg_core import overlay
from ovseg_core.paddlex.image_result import AS_ESCAPES, ImageResult
from ovseg_core.paddlex.inputs import Page
from ovseg_core.paddlex.saved_names import Owner, SavedNames


class DetectionResult(ImageResult):
    """One image's boxes: a dict with PaddleX's keys.

    https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_detection.html

    `predict` makes it. Its keys are:

    - `input_path`: path or URL of the image; None for an array.
    - `page_index`: page of a PDF or TIFF, from 0; None for an image without pages.
    - `input_img`: the image (H, W, 3) uint8 in RGB.
    - `boxes`: for each box a dict of `coordinate`, [x0, y0, x1, y1] in pixels, which may extend beyond the image;
      `label`, the words of the prompt that fit the box, perhaps of several of its phrases; `score`, 0 to 1.
    """

    def __init__(self, page: Page, boxes: list[dict[str, Any]], owner: Owner, saved_names: SavedNames) -> None:
        super().__init__(page, owner, saved_names, boxes=boxes)

    @property
    def json(self) -> dict[str, Any]:
        """{"res": ...} with the content that `save_to_json` writes."""
        return self.str

    def save_to_json(self, save_path: Any, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Save the result as a JSON file or in a folder as `NAME_res.json`. `save_path` is as in `save_to_img`."""
        path = self._path(save_path, ".json", frozenset({".json"}))
        text = json.dumps(self._printable(), indent=indent, ensure_ascii=ensure_ascii)
        path.write_text(text, encoding="utf-8", errors=AS_ESCAPES)

    def _printable(self) -> dict[builtins.str, Any]:
        return {name: self[name] for name in ("input_path", "page_index", "boxes")}

    def _picture(self) -> np.ndarray:
        return overlay.of_objects(self["input_img"], self["boxes"])
