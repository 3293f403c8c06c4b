"""Reads the input of `predict`: arrays, paths, URLs, folders, PDFs, TIFFs, and lists, iterators or generators of them.

While the network runs, a thread reads ahead as many files of a list or folder as a batch has, and no more. The caller's
iterator or generator runs in the caller's thread, and only when its next image is needed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ovseg_core import extras, header, image, image_source
from ovseg_core.errors import OvsegError
from ovseg_core.in_batches import in_batches
from ovseg_core.paddlex.sources import Source, Sources
from ovseg_core.read_ahead import ReadAhead

PDF_SCALE = 2.0  # times 72 dots per inch, as PaddleX renders PDFs

Input = Any  # str, Path, ndarray, or an iterable of these


@dataclass(frozen=True)
class Page:
    """One image: its pixels (H, W, 3) uint8 RGB, the path or URL of its file, and its page in that file.

    `index` is the page, from 0, or None if the file has one page. `folder` is the file's folder, relative to the folder
    that the caller gave.
    """

    pixels: np.ndarray
    path: str | None
    index: int | None
    folder: str = ""


@dataclass(frozen=True)
class Unreadable:
    """Stands for an image, or for the rest of a document, that cannot be read, and has the reason as `error`."""

    path: str | None
    error: Exception


def batches(given: Input, size: int = 1) -> Iterator[list[Page | Unreadable]]:
    """Yield the pages of an input in lists of `size`; the last list may be shorter.

    If the caller's iterator raises an error, the pages that were read before are yielded first. Closing the generator
    returns immediately; the thread that reads ahead then finishes the file that it is reading and ends.
    """
    with closing(_pages(given, size)) as pages:
        yield from in_batches(pages, size)


def _pages(given: Input, max_ahead: int) -> Generator[Page | Unreadable]:
    remaining = Sources(given)
    begun: deque[tuple[Source, Future[Iterator[Page]]]] = deque()
    with closing(ReadAhead()) as thread:
        while True:
            while len(begun) <= max_ahead and (source := remaining.take(from_caller=not begun)) is not None:
                begun.append((source, thread.submit(partial(_opened, source))))
            if not begun:
                return
            yield from _pages_of(*begun.popleft())


def _pages_of(source: Source, opened: Future[Iterator[Page]]) -> Iterator[Page | Unreadable]:
    try:
        for page in opened.result():
            yield replace(page, folder=source.folder)
    except MemoryError:  # the file is not to blame
        raise
    except Exception as error:
        yield Unreadable(source.path, _named(error, source))


def _opened(source: Source) -> Iterator[Page]:
    """Read the source and decode its first image.

    The pages of a PDF are rendered later, in the caller's thread: only one thread may use PDFium, and the caller may
    use it too.
    """
    given = source.given
    if isinstance(given, Exception):
        raise given
    if isinstance(given, np.ndarray):
        return iter([Page(_of_array(given), None, None)])
    data = image_source.fetched(given) if isinstance(given, str) else image_source.file_bytes(given)
    pages = _of_bytes(data, str(source.path))
    if data.startswith(b"%PDF-"):
        return pages
    first = next(pages, None)
    return pages if first is None else chain([first], pages)


def _named(error: Exception, source: Source) -> Exception:
    """Return any library's error as an OvsegError that names the file or URL.

    The name is shown with `repr`, which escapes characters that a terminal cannot show. Some errors stay as they are:
    FileNotFoundError for a path that does not exist, ValueError for an array that is not an image, and TypeError for an
    input of a wrong type.
    """
    if source.path is None:
        return error
    if isinstance(error, FileNotFoundError) and not Path(source.path).is_symlink():
        return error
    code, message = "image_unreadable", str(error)
    if isinstance(error, OvsegError):
        code = error.code
    elif isinstance(error, OSError):
        message = error.strerror or message
    named = OvsegError(code, f"{source.path!r}: {message}", "image")
    named.__cause__ = error
    return named


def _of_array(array: np.ndarray) -> np.ndarray:
    """Return an array as RGB. It must be as OpenCV reads images: (H, W, 3) BGR, as in PaddleX, or (H, W) grey, or
    (H, W, 4) BGRA.
    """
    is_image = array.ndim in (2, 3) and array.size > 0 and (array.ndim == 2 or array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise ValueError(f"an array must be (H, W, 3) uint8 in BGR, or grey, or BGRA; not {array.shape} {array.dtype}")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[:, :, 2::-1])


def _of_bytes(data: bytes, path: str) -> Iterator[Page]:
    if data.startswith(b"%PDF-"):
        yield from _of_pdf(data, path)
    else:
        yield from _of_pages(data, path)


def _of_pages(data: bytes, path: str) -> Iterator[Page]:
    """Yield each page of a TIFF, or the one page of any other image."""
    count = image.page_count(data)
    for i, pixels in enumerate(image.pages(data, image_source.MAX_PIXELS)):
        yield Page(pixels, path, i if count > 1 else None)


def _of_pdf(data: bytes, path: str) -> Iterator[Page]:
    try:
        import pypdfium2
    except ImportError:
        raise ValueError(f"PDFs need pypdfium2: {extras.how_to_install('pdf')}") from None
    try:
        with pypdfium2.PdfDocument(data) as document:
            for i, page in enumerate(document):
                width, height = (math.ceil(PDF_SCALE * side) for side in page.get_size())
                header.check_pixels(header.Header("PDF", (height, width)), image_source.MAX_PIXELS)
                yield Page(np.asarray(page.render(scale=PDF_SCALE).to_pil().convert("RGB")), path, i)
    except pypdfium2.PdfiumError as error:
        raise OvsegError("image_unreadable", f"the PDF cannot be read: {error}", "image") from error


def stem_and_suffix(path: str | None) -> tuple[str, str]:
    """Return the stem and the suffix of a path's or a URL's file name; empty strings for None."""
    if path is None:
        return "", ""
    name = Path(urlsplit(path).path if "://" in path else path)
    return name.stem, name.suffix
