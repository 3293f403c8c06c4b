"""A result in PaddleX's words: a dict that prints and saves itself, and what PaddleX lacks: scores, boxes, COCO."""

from __future__ import annotations

import builtins
import json
import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from ovseg_core import longest_sides, overlay, polygons
from ovseg_core.answer import Answer
from ovseg_core.mask import Mask
from ovseg_core.paddlex import serving_result
from ovseg_core.paddlex.inputs import Page, stem_and_suffix
from ovseg_core.paddlex.prompting import Given
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.paddlex.sources import SUFFIXES
from ovseg_core.polygons import Polygon
from ovseg_core.segmenter import Segmenter

TOO_LARGE_TO_PRINT = "..."
AS_ESCAPES = "backslashreplace"  # for bytes in a file's name that are not UTF-8; JSON has the same escape


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


class Result(dict[str, Any]):
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
            input_path=page.path,
            page_index=page.index,
            input_img=page.pixels,
            prompts=given.plain,
            masks=Masks(masks),
            mask_infos=[_info(answer, multimask_output or is_everything) for answer in answers],
        )
        self._prompts, self._masks, self._answers, self._is_everything = given.prompts, masks, answers, is_everything
        self._folder, self._owner, self._saved_names = page.folder, owner, saved_names
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
            category_id: `category_id` of every annotation.
            first_id: `id` of the first annotation; the others count on from it.

        Returns:
            A dict for each mask; `bbox` is [x, y, width, height] in pixels, and `score` is added; in everything mode
            `stability_score` too.
        """
        return [
            {
                "id": first_id + i,
                "image_id": image_id,
                "category_id": category_id,
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

    @property
    def img(self) -> dict[str, Image.Image]:
        """{"res": ...} with the overlay: the image with its masks and prompts drawn on it."""
        return {"res": Image.fromarray(overlay.draw(self["input_img"], self._answers, self._prompts))}

    @property
    def str(self) -> dict[builtins.str, Any]:
        """{"res": ...} with the content that `print` prints: the result without pixels."""
        return {"res": self._printable()}

    def __str__(self) -> builtins.str:
        return repr(self.str)

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the result without pixels, as JSON; with `format_json` False on one line, as PaddleX's command does."""
        text = json.dumps(self.str, indent=indent, ensure_ascii=ensure_ascii) if format_json else str(self.str)
        sys.stdout.write(text.encode(errors=AS_ESCAPES).decode() + "\n")

    def save_to_img(self, save_path: Any) -> None:
        """Save the overlay as a file, or in a folder.

        The overlay is scaled down if a side is longer than its format allows: 65,500 pixels in JPEG, 16,383 in WebP.

        Args:
            save_path: a file with the suffix of an image, or a folder. In a folder the name is `NAME_res.SUFFIX`, or
                `NAME_PAGE_res.png` for a page of a PDF or TIFF. Results of a folder are saved in the same subfolders as
                their images. If the model has saved another image's result under that name, the name is
                `NAME.SUFFIX_res.SUFFIX`, then `NAME.SUFFIX_2_res.SUFFIX`, and so on. A later call of `predict` for the
                same image overwrites the file.
        """
        _, suffix = stem_and_suffix(self["input_path"])
        keeps_suffix = self["page_index"] is None and suffix.lower() in SUFFIXES
        path = self._path(save_path, suffix if keeps_suffix else ".png", SUFFIXES)
        picture = overlay.draw(self["input_img"], self._answers, self._prompts)
        longest = longest_sides.BY_SUFFIX.get(path.suffix.lower(), max(picture.shape))
        Image.fromarray(overlay.fitted(picture, longest)).save(path)

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

    def save_all(self, save_path: Any) -> None:
        """Call `save_to_json` and `save_to_img`."""
        self.save_to_json(save_path)
        self.save_to_img(save_path)

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

    @cached_property
    def _generated_stem(self) -> builtins.str:
        return f"{time.time():.0f}_{np.random.randint(10000):04}"

    def _path(self, given: Any, suffix: builtins.str, files: frozenset[builtins.str]) -> Path:
        path = Path(given)
        if path.suffix.lower() not in files or path.is_dir():
            path = path / self._folder
            stem, of_input = stem_and_suffix(self["input_path"])
            path /= self._saved_names.of(self._owner, path, stem or self._generated_stem, of_input) + f"_res{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _info(answer: Answer, has_index: bool) -> dict[str, Any]:
    """Return PaddleX's `label` and `prompt` of a mask, with what it has beyond PaddleX's format."""
    info = serving_result.label(answer)
    if has_index:
        info["prompt_index"] = answer.prompt_index
    if answer.stability_score is not None:
        info["stability_score"] = answer.stability_score
    return info


def _rows(mask: np.ndarray) -> str:
    return "[" + ",\n".join(map(_row, mask)) + "]"


def _row(row: np.ndarray) -> str:
    """Return [0,0,1,...]. Interleaving digits and commas is a thousand times as fast as a JSON encoder."""
    text = np.full(2 * len(row) - 1, ord(","), np.uint8)
    text[::2] = row + ord("0")
    return f"[{text.tobytes().decode('ascii')}]"
