"""All environment variables that the library reads, and the folders in which it keeps files.

A variable is read at each call and not at import, so a program may set it before it first uses a model. The other files
of `ovseg_core` call this module and do not read `os.environ`, except `quiet_paddle`, which sets OMP_NUM_THREADS while
Paddle is imported.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from ovseg_core import http_address

VARIABLES = {
    "OVSEG_MODELS_DIR": "Folder of downloaded weights. Unset: ~/.cache/ovseg/models.",
    "OVSEG_ENGINES_DIR": "Folder of networks that were translated to ONNX. Unset: ~/.cache/ovseg/engines.",
    "OVSEG_MODELS_YAML": "File with models of your own, which are added to those of ovseg_core/models/models.yaml. It "
    "has the same format.",
    "OVSEG_MODELS_MIRROR": "URL of a folder with the weights by file name. It is tried before the addresses of the "
    "models. Put a name and password for it into ~/.netrc.",
}


def models_dir() -> Path:
    """Return the folder of downloaded weights, which may not exist yet.

    It is OVSEG_MODELS_DIR, or `models` in the user's cache.
    """
    return _folder("OVSEG_MODELS_DIR", "models")


def engines_dir() -> Path:
    """Return the folder of translated networks and of digests of weights, which are kept between processes.

    It is OVSEG_ENGINES_DIR, or `engines` in the user's cache. It may not exist yet.
    """
    return _folder("OVSEG_ENGINES_DIR", "engines")


def models_yaml() -> Path | None:
    """Return the path of the user's own list of models, OVSEG_MODELS_YAML, or None."""
    given = os.environ.get("OVSEG_MODELS_YAML")
    return Path(given) if given else None


def models_mirror() -> str | None:
    """Return the URL of a mirror of weights, OVSEG_MODELS_MIRROR, or None.

    Raises ValueError if it is not the URL of a folder. The message does not repeat it: it may contain a password.
    """
    given = os.environ.get("OVSEG_MODELS_MIRROR")
    if not given:
        return None
    try:
        return http_address.checked(given)
    except ValueError as error:
        raise ValueError(f"OVSEG_MODELS_MIRROR: {error}") from None


def _folder(variable: str, name: str) -> Path:
    given = os.environ.get(variable)
    return Path(given) if given else _user_cache(os.environ.get("HOME"), os.environ.get("XDG_CACHE_HOME")) / name


@cache
def _user_cache(*variables: str | None) -> Path:
    """Return our folder in the user's cache. `variables` are those that it depends on.

    A gateway looks up a model for each job, and must not pay for this each time: it takes 4 % of accepting one.
    """
    return user_cache_path("ovseg")
