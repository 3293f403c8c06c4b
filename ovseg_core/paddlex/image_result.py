"""What the results of all pipelines have in common, in PaddleX's words: a dict that prints and saves itself."""

from __future__ import annotations

import builtins
import json
import sys
import time
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ovseg_core import longest_sides, overlay
from ovseg_core.paddlex.inputs import Page, stem_and_suffix
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.paddlex.sources import SUFFIXES

AS_ESCAPES = "backslashreplace"  # for bytes in a file's name that are not UTF-8; JSON has the same escape


class ImageResult(dict[str, Any]):
    """One image's result. Its keys `input_path`, `page_index` and `input_img` are those of every pipeline."""

    def __init__(self, page: Page, owner: Owner, saved_names: SavedNames, **others: Any) -> None:
        super().__init__(input_path=page.path, page_index=page.index, input_img=page.pixels, **others)
        self._folder, self._owner, self._saved_names = page.folder, owner, saved_names

    @property
    @abstractmethod
    def json(self) -> dict[str, Any]:
        """{"res": ...} with the content that `save_to_json` writes, in lists and numbers."""

    @property
    def img(self) -> dict[str, Image.Image]:
        """{"res": ...} with the image and the result drawn on it."""
        return {"res": Image.fromarray(self._picture())}

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
        """Save the picture of `img` as a file, or in a folder.

        It is scaled down if a side is longer than its format allows: 65,500 pixels in JPEG, 16,383 in WebP.

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
        picture = self._picture()
        longest = longest_sides.BY_SUFFIX.get(path.suffix.lower(), max(picture.shape))
        Image.fromarray(overlay.fitted(picture, longest)).save(path)

    @abstractmethod
    def save_to_json(self, save_path: Any, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Save the result as a JSON file or in a folder as `NAME_res.json`. `save_path` is as in `save_to_img`."""

    def save_all(self, save_path: Any) -> None:
        """Call `save_to_json` and `save_to_img`."""
        self.save_to_json(save_path)
        self.save_to_img(save_path)

    @abstractmethod
    def _printable(self) -> dict[builtins.str, Any]:
        """Return the result without pixels."""

    @abstractmethod
    def _picture(self) -> np.ndarray:
        """Return the image with the result drawn on it, (H, W, 3) uint8 RGB."""

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
