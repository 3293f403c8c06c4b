"""Loads images as LMDeploy's functions of these names do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovseg_core.errors import OvsegError

if TYPE_CHECKING:
    from PIL import Image

    from ovseg_core.image_source import ImageSource

SCHEMES = ("http://", "https://", "data:")


def load_image(image_url: ImageSource) -> Image.Image:
    """Load an image.

    Args:
        image_url: a URL, a path, base64, or another form of `ovseg_core.image_source.read`.

    Returns:
        The image in RGB, upright.

    Raises:
        OvsegError, FileNotFoundError, TypeError, ValueError: as `ovseg_core.image_source.read`.
    """
    from PIL import Image

    from ovseg_core import image_source

    return Image.fromarray(image_source.read(image_url))


def load_image_from_url(image_url: str) -> Image.Image:
    """Load an image from a URL: http, https or data.

    Raises:
        OvsegError: `url_invalid` if it is no such URL. Also all errors of `load_image`.
    """
    if not image_url.lstrip().lower().startswith(SCHEMES):
        message = f"a URL begins with one of {', '.join(SCHEMES)}; load_image also loads files"
        raise OvsegError("url_invalid", message, "image_url")
    return load_image(image_url)
