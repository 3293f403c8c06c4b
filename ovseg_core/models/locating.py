"""Finds the weights of a model on this machine, and downloads them if they are not installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ovseg_core.models import registry
from ovseg_core.models.pull import PullFailed, pull
from ovseg_core.models.spec import ModelSpec
from ovseg_core.paddle_inference.family import NAME as PADDLE_INFERENCE
from ovseg_core.paddle_inference.folder import InferenceFolder


def located(model_name: str, model_dir: str | Path | None) -> ModelSpec:
    """Return a model's specification, and download its weights if they are not installed. Raises as `create_model`."""
    if model_dir is not None:
        return _in(Path(model_dir), registry.find(model_name))
    spec = registry.resolved(model_name)
    if not spec.is_installed:
        spec = registry.find(spec.falls_to) if spec.falls_to else spec
        _pull(spec)
    return spec


def _in(path: Path, spec: ModelSpec) -> ModelSpec:
    if path.is_dir():
        known_as = InferenceFolder.read(path).model_name
        if spec.is_folder and known_as != spec.name:
            raise ValueError(f"{path} is {known_as}, not {spec.name}")
        return replace(spec, network=PADDLE_INFERENCE, weights=path)
    if not path.is_file():
        raise FileNotFoundError(f"model_dir must name a checkpoint file or a folder, and {path} is neither")
    network = registry.find(spec.falls_to).network if spec.falls_to else spec.network
    return replace(spec, network=network, weights=path)


def _pull(spec: ModelSpec) -> None:
    try:
        pull(spec)
    except PullFailed as error:
        raise PullFailed(
            f"{error} (On the command line that is --model SAM-Lite, in Python model='SAM-Lite'.)"
        ) from None
