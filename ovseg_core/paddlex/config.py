"""The configurations of pipelines: PaddleX's YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

SEGMENTATION = "open_vocabulary_segmentation"
DETECTION = "open_vocabulary_detection"
NAMES = (SEGMENTATION, DETECTION)


def default(name: str) -> str:
    """Return the YAML of a pipeline. It names the same models as PaddleX's.

    Raises ValueError if there is no pipeline of this name.
    """
    if name not in NAMES:
        raise ValueError(f"there is no pipeline {name!r}, only {' and '.join(NAMES)}, which a .yaml file can configure")
    return resources.files("ovseg_core.paddlex").joinpath(f"{name}.yaml").read_text()


def read(pipeline: str | Path | None, config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the configuration `config`, or that of a pipeline's name or YAML file.

    Raises ValueError if its `pipeline_name` is none of NAMES, and FileNotFoundError if there is no such file.
    """
    if config is None:
        if pipeline is None:
            raise ValueError(f"name a pipeline ({' or '.join(NAMES)}), the path of its YAML file, or a config")
        config = _parsed(_text(pipeline), pipeline)
    if not isinstance(config, Mapping) or config.get("pipeline_name") not in NAMES:
        raise ValueError(f"the configuration's pipeline_name must be {' or '.join(NAMES)}")
    return config


def module(config: Mapping[str, Any], key: str, model: str | None = None) -> Mapping[str, Any]:
    """Return a module of a configuration, with another model if one is named.

    Raises ValueError if the configuration lacks the module, or names no model.
    """
    modules = config.get("SubModules")
    found = modules.get(key) if isinstance(modules, Mapping) else None
    if not isinstance(found, Mapping):
        raise ValueError(f"the configuration lacks SubModules.{key}")
    found = found if model is None else {**found, "model_name": model, "model_dir": None}
    if not found.get("model_name"):
        raise ValueError(f"the configuration lacks SubModules.{key}.model_name")
    return found


def _parsed(text: str, name: str | Path) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{str(name)!r} is not YAML: {error}") from None


def _text(name: str | Path) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.suffix in (".yaml", ".yml") else default(str(name))
