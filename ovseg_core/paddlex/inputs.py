"""What `predict` takes: arrays, paths, URLs, folders, PDFs, TIFFs, and lists, iterators and generators of these.

Nothing is read before its turn, but for a batch that is read ahead while the network works on the last.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from PIL import Image, ImageSequence

from ovseg_core import image

SUFFIXES = frozenset(
    [".bmp", ".dib", ".jpeg", ".jpg", ".png", ".webp", ".pbm", ".pgm", ".ppm", ".pnm", ".tiff", ".tif"]
)
IN_FOLDERS = SUFFIXES | {".pdf"}
MAX_PIXELS = 178_956_970  # Pillow's own limit; a file beyond it is refused
PDF_SCALE = 2.0  # of 72 dots an inch, as PaddleX renders
TIMEOUT = (10, 60)  # seconds

Input = Any  # str, Path, ndarray, or an iterable of these


@dataclass(frozen=True)
class Page:
    """One image: RGB pixels (H, W, 3) uint8, where it came from, and which page of that (from 0), if it has pages."""

    pixels: np.ndarray
    path: str | None
    index: int | None


def batches(given: Input, size: int = 1) -> Iterator[list[Page]]:
    """Pages, `size` at a time.

    Raises FileNotFoundError, OvsegError for an image that cannot be read, ValueError and TypeError for no image.
    """
    found = _pages(given)
    with ThreadPoolExecutor(1, "read-ahead") as ahead:
        coming = ahead.submit(_taken, found, size)
        while batch := coming.result():
            coming = ahead.submit(_taken, found, size)
            yield batch


def _taken(found: Iterator[Page], size: int) -> list[Page]:
    return list(itertools.islice(found, size))


def _pages(given: Input) -> Iterator[Page]:
    if isinstance(given, np.ndarray):
        yield Page(_of_array(given), None, None)
    elif isinstance(given, str) and given.startswith(("http://", "https://")):
        yield from _of_bytes(_fetched(given), given)
    elif isinstance(given, str | Path):
        path = Path(given)
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in IN_FOLDERS):
                yield from _of_bytes(file.read_bytes(), str(file))
        else:
            yield from _of_bytes(path.read_bytes(), str(given))
    elif isinstance(given, Iterable):
        for one in given:
            yield from _pages(one)
    else:
        raise TypeError(f"input is an array, a path, a URL, or several of these, not {type(given).__name__}")


def _of_array(array: np.ndarray) -> np.ndarray:
    """PaddleX takes an array for what OpenCV reads: (H, W, 3) in BGR; also (H, W) grey and (H, W, 4) with alpha."""
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an array is (H, W, 3) uint8 in BGR, or grey, or BGRA; not {array.shape} {array.dtype}")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[:, :, 2::-1])


def _of_bytes(data: bytes, path: str) -> Iterator[Page]:
    if data.startswith(b"%PDF-"):
        yield from _of_pdf(data, path)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        yield from _of_tiff(data, path)
    else:
        yield Page(image.decode(data, MAX_PIXELS), path, None)


def _of_tiff(data: bytes, path: str) -> Iterator[Page]:
    with Image.open(io.BytesIO(data)) as file:
        count = getattr(file, "n_frames", 1)
        for i, frame in enumerate(ImageSequence.Iterator(file)):
            page = io.BytesIO()
            frame.save(page, "TIFF")
            yield Page(image.decode(page.getvalue(), MAX_PIXELS), path, i if count > 1 else None)


def _of_pdf(data: bytes, path: str) -> Iterator[Page]:
    try:
        import pypdfium2
    except ImportError:
        raise ValueError("PDFs need pypdfium2: pip install 'ovseg[pdf]'") from None
    with pypdfium2.PdfDocument(data) as document:
        for i, page in enumerate(document):
            rendered = page.render(scale=PDF_SCALE).to_pil().convert("RGB")
            yield Page(np.asarray(rendered), path, i)


def _fetched(url: str) -> bytes:
    answer = requests.get(url, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.content


def stem_and_suffix(path: str | None) -> tuple[str, str]:
    """Of a path or the path of a URL."""
    if path is None:
        return "", ""
    name = Path(urlsplit(path).path if "://" in path else path)
    return name.stem, name.suffix
