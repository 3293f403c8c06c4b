"""Everything that the library reads from the environment, and the folders that it keeps files in.

A variable is read at each call and not at import, so a program may set it before it first uses a model. Every other
file of `ovseg_core` asks here instead of `os.environ`, except `quiet_paddle`, which sets OMP_NUM_THREADS for the moment
in which Paddle is imported.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from ovseg_core import http_address

VARIABLES = {
    "OVSEG_MODELS_DIR": "Folder of downloaded weights; unset means ~/.cache/ovseg/models.",
    "OVSEG_ENGINES_DIR": "Folder of networks that were translated to ONNX; unset means ~/.cache/ovseg/engines.",
    "OVSEG_MODELS_YAML": "File that lists models of your own, in the format of ovseg_core/models/models.yaml; they are "
    "added to those.",
    "OVSEG_MODELS_MIRROR": "URL of a folder that has the weights by file name; it is tried before their own addresses. "
    "A name and password for it belong in ~/.netrc.",
}


def models_dir() -> Path:
    """The folder of downloaded weights, which need not exist: OVSEG_MODELS_DIR, or `models` in the user's cache."""
    return _folder("OVSEG_MODELS_DIR", "models")


def engines_dir() -> Path:
    """The folder of what is worth keeping between processes, which need not exist: translated networks, and digests of
    weights. OVSEG_ENGINES_DIR, or `engines` in the user's cache."""
    return _folder("OVSEG_ENGINES_DIR", "engines")


def models_yaml() -> Path | None:
    """The user's own list of models, OVSEG_MODELS_YAML."""
    given = os.environ.get("OVSEG_MODELS_YAML")
    return Path(given) if given else None


def models_mirror() -> str | None:
    """The URL of a mirror of weights, OVSEG_MODELS_MIRROR. Raises ValueError if it is no such URL, without repeating
    it: it may hold a password."""
    given = os.environ.get("OVSEG_MODELS_MIRROR")
    if not given:
        return None
    try:
        return http_address.checked(given)
    except ValueError as error:
        raise ValueError(f"OVSEG_MODELS_MIRROR: {error}") from None


def _folder(variable: str, name: str) -> Path:
    given = os.environ.get(variable)
    return Path(given) if given else user_cache_path("ovseg") / name
