"""A result in PaddleX's words: a dict that prints and saves itself, and what PaddleX lacks: scores, boxes, COCO."""

from __future__ import annotations

import builtins
import json
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ovseg_core import overlay, polygons
from ovseg_core.answer import Answer
from ovseg_core.found_box import FoundBox
from ovseg_core.mask import Mask
from ovseg_core.paddlex import prompting, serving_result
from ovseg_core.paddlex.image_result import AS_ESCAPES, ImageResult
from ovseg_core.paddlex.inputs import Page
from ovseg_core.paddlex.prompting import Given
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.polygons import Polygon
from ovseg_core.segmenter import Segmenter

TOO_LARGE_TO_PRINT = "..."


class Masks(Sequence[np.ndarray]):
    """Masks (H, W) int8, 0 or 1, as PaddleX returns them. A mask is unpacked when it is read."""

    def __init__(self, masks: Sequence[Mask]) -> None:
        self._masks = masks

    def __len__(self) -> int:
        return len(self._masks)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Masks: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Masks:
        if isinstance(index, slice):
            return Masks(self._masks[index])
        return self._masks[index].full().view(np.int8)


class Result(ImageResult):
    """One image's masks: a dict with PaddleX's keys, and scores, boxes, polygons and COCO, which PaddleX lacks.

    https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_segmentation.html

    `predict` makes it. With N prompts its keys are:

    - `input_path`: path or URL of the image; None for an array.
    - `page_index`: page of a PDF or TIFF, from 0; None for an image without pages.
    - `input_img`: the image (H, W, 3) uint8 in RGB.
    - `prompts`: the prompts as they were given, in lists and numbers.
    - `masks`: N masks (H, W) int8 in the prompts' order, 1 on the object and 0 elsewhere. A mask is unpacked when it is
      read.
    - `mask_infos`: N dicts, the prompt of each mask in PaddleX's format.

    With `multimask_output` a prompt may have several masks, which follow each other, the best first; in everything mode
    there are as many as are found. `mask_infos` then also has `prompt_index`, the position of the prompt from 0, and
    `stability_score` (0 to 1) if it was computed. In everything mode `label` is "everything_prompt", and `prompt` the
    point [x, y] that found the mask.

    For text prompts the masks are those of the boxes that were found, the box with the highest score first.
    `mask_infos` has `label` "text_prompt", the caller's phrase as `prompt`, its position in the caller's list as
    `prompt_index`, the box [x0, y0, x1, y1] in pixels as `coordinate`, and its score (0 to 1) as `detection_score`.

    Attributes:
        engine: the engine that ran the network, "openvino", "onnxruntime" or "paddle".
        precision: the precision that the network computed in, "float32", "bfloat16", "float16" or "int8".
    """

    def __init__(
        self,
        page: Page,
        given: Given,
        answers: Sequence[Answer],
        multimask_output: bool,
        segmenter: Segmenter,
        owner: Owner,
        saved_names: SavedNames,
    ) -> None:
        masks = [answer.mask for answer in answers]
        is_everything = given.everything is not None
        super().__init__(
            page,
            owner,
            saved_names,
            prompts=given.plain,
            masks=Masks(masks),
            mask_infos=(
                [_text_info(given.boxes[answer.prompt_index]) for answer in answers]
                if given.text
                else [_info(answer, multimask_output or is_everything) for answer in answers]
            ),
        )
        self._found = given.boxes
        self._prompts, self._masks, self._answers, self._is_everything = given.prompts, masks, answers, is_everything
        self.engine, self.precision = segmenter.engine, segmenter.precision

    @property
    def scores(self) -> list[float | None]:
        """The model's estimate of each mask's IoU, 0 to 1; None from PaddleX's inference models, which give none."""
        return [mask.score for mask in self._masks]

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """The tightest (x0, y0, x1, y1) around each mask, in whole pixels, x1 and y1 exclusive; (0, 0, 0, 0) for an
        empty mask."""
        return [mask.box_xyxy for mask in self._masks]

    def polygons(self) -> list[list[Polygon]]:
        """The parts of each mask with their holes: rings of [x, y], indices of pixels."""
        return [polygons.of(mask) for mask in self._masks]

    def to_coco(self, image_id: int = 1, category_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
        """The masks as COCO's annotations, with compressed RLE (https://cocodataset.org/#format-data).

        Args:
            image_id: `image_id` of every annotation.
            category_id: `category_id` of every annotation. For text prompts it is that of the first phrase, and the
                others count on from it.
            first_id: `id` of the first annotation; the others count on from it.

        Returns:
            A dict for each mask; `bbox` is [x, y, width, height] in pixels, and `score` is added; in everything mode
            `stability_score` too.
        """
        return [
            {
                "id": first_id + i,
                "image_id": image_id,
                "category_id": category_id + (self._found[answer.prompt_index].phrase_index if self._found else 0),
                "segmentation": {"size": list(answer.mask.image_hw), "counts": answer.mask.counts},
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": answer.mask.area,
                "iscrowd": 0,
                "score": answer.mask.score,
                **({} if answer.stability_score is None else {"stability_score": answer.stability_score}),
            }
            for i, (answer, (x0, y0, x1, y1)) in enumerate(zip(self._answers, self.boxes, strict=True))
        ]

    @property
    def json(self) -> dict[str, Any]:
        """{"res": ...} with the content that `save_to_json` writes, in lists and numbers."""
        if self._is_everything:
            return {"res": {**self._printable(), "masks": self._rles()}}
        return {"res": {**self._printable(), "masks": [mask.tolist() for mask in self["masks"]]}}

    def save_to_json(self, save_path: Any, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Save the result, with its masks as lists, as a JSON file or in a folder as `NAME_res.json`.

        `save_path` is as in `save_to_img`. Each row of a mask is one line; `indent` applies to the rest. The masks of
        everything mode are COCO's RLE, {"size": [height, width], "counts": "..."}, one line each: as lists, a hundred
        masks of one megapixel would take 200 MB.
        """
        text = json.dumps({**self._printable(), "masks": None}, indent=indent, ensure_ascii=ensure_ascii)
        before, after = text.split('"masks": null')
        with self._path(save_path, ".json", frozenset({".json"})).open(
            "w", encoding="utf-8", errors=AS_ESCAPES
        ) as file:
            file.write(f'{before}"masks": [')
            masks = map(json.dumps, self._rles()) if self._is_everything else map(_rows, self["masks"])
            for i, mask in enumerate(masks):
                file.write(",\n" if i else "\n")
                file.write(mask)
            file.write(f"]{after}")

    def _printable(self) -> dict[builtins.str, Any]:
        return {
            "input_path": self["input_path"],
            "page_index": self["page_index"],
            "prompts": self["prompts"],
            "masks": TOO_LARGE_TO_PRINT,
            "mask_infos": self["mask_infos"],
        }

    def _rles(self) -> list[dict[builtins.str, Any]]:
        return [{"size": list(mask.image_hw), "counts": mask.counts} for mask in self._masks]

    def _picture(self) -> np.ndarray:
        names = [found.shown for found in self._found] or None
        return overlay.draw(self["input_img"], self._answers, self._prompts, names)


def _info(answer: Answer, has_index: bool) -> dict[str, Any]:
    """Return PaddleX's `label` and `prompt` of a mask, with what it has beyond PaddleX's format."""
    info = serving_result.label(answer)
    if has_index:
        info["prompt_index"] = answer.prompt_index
    if answer.stability_score is not None:
        info["stability_score"] = answer.stability_score
    return info


def _text_info(found: FoundBox) -> dict[str, Any]:
    return {
        "label": prompting.TEXT,
        "prompt": found.phrase,
        "prompt_index": found.phrase_index,
        "coordinate": list(found.box),
        "detection_score": found.score,
    }


def _rows(mask: np.ndarray) -> str:
    return "[" + ",\n".join(map(_row, mask)) + "]"


def _row(row: np.ndarray) -> str:
    """Return [0,0,1,...]. Interleaving digits and commas is a thousand times as fast as a JSON encoder."""
    text = np.full(2 * len(row) - 1, ord(","), np.uint8)
    text[::2] = row + ord("0")
    return f"[{text.tobytes().decode('ascii')}]"
