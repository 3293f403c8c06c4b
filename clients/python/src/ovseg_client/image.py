"""The image of a request: a path, a URL, bytes, a file, an array, or the name of an image that the service has."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ovseg_client.errors import ImageUnreadable


@runtime_checkable
class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes: ...


@runtime_checkable
class HasId(Protocol):
    """An upload of the service."""

    @property
    def upload_id(self) -> str: ...


Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | HasId | Mapping[str, Any] | Any
"""A path; an http(s), data or s3 URL; the bytes of an image file; an open file; an image of Pillow; a NumPy array in
RGB, (height, width) or (height, width, 3) of uint8; an upload; or the API's own object, such as `{"sha256": ...}`."""

SCHEMES = ("http://", "https://", "data:")


def named(image: Image) -> str | dict[str, Any] | None:
    """Return the image as JSON for a request, or None if its bytes must be sent.

    The client never fetches a URL: the service does, without this client's API key.
    """
    if isinstance(image, Mapping):
        return dict(image)
    if isinstance(image, HasId):
        return {"upload": image.upload_id}
    if isinstance(image, str) and image.lower().startswith(SCHEMES):
        return image
    if isinstance(image, str) and image.lower().startswith("s3://"):
        return {"s3": image}
    return None


def path_of(image: Image) -> str | None:
    """Return the path of an image that is given by one."""
    return os.fspath(image) if isinstance(image, str | os.PathLike) else None


def read(image: Image) -> bytes:
    """Return the bytes of an image file.

    Raises:
        ImageUnreadable: The file cannot be read.
        TypeError: This is no image.
        ImportError: Pillow, which encodes arrays, is not installed.
    """
    if isinstance(image, str | os.PathLike):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise ImageUnreadable(str(error)) from error
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if hasattr(image, "__array_interface__"):
        return _png(image)  # an array, or an image of Pillow, which also has `read` in some versions
    if isinstance(image, Readable):
        content = image.read()
        if isinstance(content, bytes):
            return content
        raise TypeError("the file is open as text: open it with mode 'rb'")
    raise TypeError(f"an image cannot be a {type(image).__name__}")


def _png(image: Any) -> bytes:
    """Encode an array or an image of Pillow. The pixels stay as they are: PNG loses nothing."""
    try:
        import PIL.Image
    except ImportError:
        raise ImportError("Pillow encodes arrays as images: pip install pillow") from None
    picture = image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(image)
    if picture.mode not in ("L", "RGB", "I;16"):
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    # Without EXIF, because its orientation would turn the pixels that the caller sees. Level 1 is several times as fast
    # as the default, for a few percent more bytes.
    picture.save(buffer, "PNG", exif=b"", compress_level=1)
    return buffer.getvalue()
