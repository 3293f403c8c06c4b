"""Read models.yaml, the user's own file that adds models to it, and detectors.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ovseg_core import environment
from ovseg_core.detectors import DETECTORS, PADDLE_INFERENCE
from ovseg_core.errors import OvsegError
from ovseg_core.models.detector_spec import DetectorSpec
from ovseg_core.models.published import BUNDLED, Published
from ovseg_core.models.spec import ModelSpec
from ovseg_core.networks import NETWORKS

OURS = Path(__file__).with_name("models.yaml")
OUR_DETECTORS = Path(__file__).with_name("detectors.yaml")
FIELDS = frozenset({"network", "file", "bundled", "urls", "bytes", "sha256", "licence", "falls_to", "also"})


Entry = TypeVar("Entry", bound=Published)


def find(name: str) -> ModelSpec:
    """Return the model of this name, which may be its name in another library.

    Raises OvsegError `unknown_model`, which lists the known names.
    """
    known = all_models()
    if (found := _named(name, known)) is None:
        raise OvsegError("unknown_model", f"there is no model {name!r}; available: {', '.join(known)}", "model")
    return found


def _named(name: str, known: Mapping[str, Entry]) -> Entry | None:
    return known.get(name) or next((entry for entry in known.values() if name in entry.also), None)


def resolved(name: str) -> ModelSpec:
    """Return the model of this name, or the installed model that it `falls_to` if it is not installed. Raises as
    `find`.
    """
    spec = find(name)
    if spec.is_installed or spec.falls_to is None:
        return spec
    other = find(spec.falls_to)
    return other if other.is_installed else spec


def find_detector(name: str) -> Published:
    """Return the detector of this name, which may be its name in another library.

    Raises OvsegError `unknown_detector`, which lists the known names.
    """
    known = all_detectors()
    if (found := _named(name, known)) is None:
        message = f"there is no detector {name!r}; available: {', '.join(known)}"
        raise OvsegError("unknown_detector", message, "detector")
    return found


def is_detector(name: str) -> bool:
    """True if this is the name of a detector, which may be its name in another library."""
    return _named(name, all_detectors()) is not None


def find_any(name: str) -> Published:
    """Return the model (a `ModelSpec`) or the detector of this name, which may be its name in another library.

    Raises OvsegError `unknown_model`, which lists the known names.
    """
    known = {**all_models(), **all_detectors()}
    if (found := _named(name, known)) is None:
        raise OvsegError("unknown_model", f"there is no model {name!r}; available: {', '.join(known)}", "model")
    return found


def all_detectors() -> dict[str, Published]:
    """Return the weights of all detectors by name; their networks are those of `detectors.load`."""
    return _read_detectors(environment.models_dir())


@cache
def _read_detectors(folder: Path) -> dict[str, Published]:
    found: dict[str, Published] = {}
    for name, fields in yaml.safe_load(OUR_DETECTORS.read_text()).items():
        if fields["network"] not in (*DETECTORS, PADDLE_INFERENCE):
            networks = ", ".join((*DETECTORS, PADDLE_INFERENCE))
            raise ValueError(f"{OUR_DETECTORS}: {name}: network must be one of {networks}")
        found[name] = DetectorSpec(
            name,
            fields["network"],
            folder / fields["file"],
            fields["licence"],
            tuple(fields["urls"]),
            also=tuple(fields.get("also", ())),
        )
    return found


def all_models() -> dict[str, ModelSpec]:
    """Return all models by name, in the order of the files. Raises ValueError, with the place, if a file is wrong."""
    return _read(environment.models_dir(), environment.models_yaml())


@cache
def _read(folder: Path, extra: Path | None) -> dict[str, ModelSpec]:
    found = {}
    for path in (OURS, extra):
        if path is not None:
            for name, fields in yaml.safe_load(path.read_text()).items():
                found[name] = _spec(name, fields, folder, path)
    return found


def _spec(name: str, fields: dict[str, Any], folder: Path, source: Path) -> ModelSpec:
    where = f"{source}: {name}"
    if unknown := sorted(fields.keys() - FIELDS):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; allowed: {', '.join(sorted(FIELDS))}")
    if fields.get("network") not in NETWORKS:
        raise ValueError(f"{where}: network must be one of {', '.join(NETWORKS)}")
    if ("file" in fields) == ("bundled" in fields):
        raise ValueError(f"{where}: give file, or bundled")
    weights = BUNDLED / fields["bundled"] if "bundled" in fields else folder / fields["file"]
    return ModelSpec(
        name,
        fields["network"],
        weights,
        licence=fields.get("licence", "unknown"),
        urls=tuple(fields.get("urls", ())),
        falls_to=fields.get("falls_to"),
        size=fields.get("bytes"),
        sha256=fields.get("sha256"),
        also=tuple(fields.get("also", ())),
    )
