"""Reads one image of a caller of the library, whatever it is given as: a URL, a path, base64, bytes, PIL's or an array.

This is for callers whose arrays are RGB, as in PIL and Hugging Face's libraries. PaddleX's are BGR; see
`paddlex.inputs`.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import requests

from ovseg_core import data_url, header, image
from ovseg_core.errors import OvsegError

if TYPE_CHECKING:
    import PIL.Image

MAX_PIXELS = header.MOST_PIXELS  # a file with more pixels is refused
TIMEOUT = (10, 60)  # seconds: to connect, and between two reads

ImageSource = Any  # str, Path, bytes, PIL image or ndarray


def read(given: ImageSource) -> np.ndarray:
    """Return the pixels of an image, (H, W, 3) uint8 RGB, upright: its EXIF orientation is applied.

    Args:
        given: a URL (http, https, data or file); a path; the bytes of a file, or their base64; an image of PIL; or an
            array (H, W, 3) uint8 RGB, (H, W) grey or (H, W, 4) RGBA. Alpha is dropped. A string that names a file is a
            path, also if it could be base64.

    Raises:
        OvsegError: `image_unreadable` and others about its content, or `url_unreachable`. The message begins with the
            path or the URL.
        OSError: the file cannot be read; FileNotFoundError if there is none, and the string is nothing else.
        ValueError: an array is not an image.
        TypeError: `given` has another type.
    """
    if isinstance(given, np.ndarray):
        return of_array(given)
    if isinstance(given, bytes):
        return image.decode(given, MAX_PIXELS)
    if isinstance(given, str | os.PathLike):
        try:
            return image.decode(_bytes_of(given), MAX_PIXELS)
        except OvsegError as error:
            raise OvsegError(error.code, f"{_shown(given)!r}: {error.message}", error.field) from error
    if hasattr(given, "getexif"):
        return _of_pil(given)
    raise TypeError(f"an image is a URL, a path, bytes, base64, a PIL image or an array, not {type(given).__name__}")


def of_array(array: np.ndarray) -> np.ndarray:
    """Return an array as (H, W, 3) RGB. Raises ValueError if it is no image in RGB, grey or RGBA."""
    is_image = array.ndim in (2, 3) and array.size > 0 and (array.ndim == 2 or array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise ValueError(f"an array must be (H, W, 3) uint8 in RGB, or grey, or RGBA; not {array.shape} {array.dtype}")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[:, :, :3])


def fetched(url: str) -> bytes:
    """Return the bytes at a URL. Raises OvsegError `url_unreachable`."""
    try:
        answer = requests.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise OvsegError("url_unreachable", str(error), "image") from error
    return answer.content


def file_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes. Raises OSError, and OvsegError `image_unreadable` if the path is not a file's.

    A pipe is opened without waiting for a writer, and is not read.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OvsegError("image_unreadable", "it is neither a file nor a folder", "image")
        return file.read()


def _bytes_of(given: str | os.PathLike[str]) -> bytes:
    if not isinstance(given, str):
        return file_bytes(given)
    scheme = given.lstrip()[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return fetched(given.strip())
    if scheme.startswith("data:"):
        return _of_data_url(given.strip())
    if scheme.startswith("file://"):
        return file_bytes(unquote(urlsplit(given.strip()).path))
    if _exists(given):
        return file_bytes(given)
    return _of_base64(given)


def _of_data_url(url: str) -> bytes:
    try:
        return data_url.parse(url)
    except ValueError as error:
        raise OvsegError("image_unreadable", str(error), "image") from None


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a name, as base64 is; or with a character that no name has
        return False


def _of_base64(text: str) -> bytes:
    try:
        if not text:
            raise ValueError("an empty string")
        return data_url.from_base64(text)
    except ValueError:
        reason = "neither the path of a file, nor a URL, nor base64"
        raise FileNotFoundError(errno.ENOENT, reason, _shown(text)) from None


def _shown(given: str | os.PathLike[str]) -> str:
    text = os.fspath(given)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _of_pil(picture: PIL.Image.Image) -> np.ndarray:
    from PIL import ImageOps

    return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
