"""The path of a server that a wheel installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from ovseg_core import extras


def path(distribution: str, name: str) -> Path:
    """Return the path of the file `name` of an installed distribution, without importing the distribution.

    Raises FileNotFoundError, which says what to install.
    """
    try:
        found = [file for file in metadata.files(distribution) or [] if file.name == name]
    except metadata.PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(
            f"{distribution} is not installed; it contains the embedded {name}. "
            f"Run {extras.how_to_install('embedded')}, "
            "or set OVSEG_REDIS_URL and OVSEG_S3_ENDPOINT_URL to servers of your own"
        )
    return Path(str(found[0].locate())).resolve()
