"""`create_pipeline`: PaddleX's `open_vocabulary_segmentation`, from its name, a YAML file or a dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ovseg_core.paddlex import inputs, prompting
from ovseg_core.paddlex.model import Model, located, opened, precision_of
from ovseg_core.paddlex.run import Run

NAME = "open_vocabulary_segmentation"
SUB_MODULES = {"box": "BoxPromptSegmentation", "point": "PointPromptSegmentation", "mixed": "BoxPromptSegmentation"}


class Pipeline:
    """What `create_pipeline` gives. A model is loaded when the first prompt asks for it, and once for both kinds where
    they share weights."""

    def __init__(
        self, config: Mapping[str, Any], device: str | None, engine: str, precision: str | None, use_hpip: bool
    ) -> None:
        self._config, self._device, self._engine = config, device, engine
        self._precision, self._use_hpip = precision, use_hpip
        self._opened = cache(opened)

    def predict(
        self,
        input: inputs.Input,
        prompt: Sequence[Any],
        prompt_type: str = "box",
        *,
        batch_size: int | None = None,
        device: str | None = None,
        engine: str | None = None,
        use_hpip: bool | None = None,
        on_error: str = "raise",
    ) -> Run:
        """A result for each image, lazily. See `Model.predict` for `input` and `on_error`; `prompt_type` is "box",
        "point" or, ours, "mixed". `prompt` are boxes, points or objects for every image, or lists of them, one list for
        each image; arrays and tensors will do for lists. Options override those of the constructor and the
        configuration for this call.

        Raises ValueError for another `prompt_type`, and as `Model.predict`.
        """
        if prompt_type not in SUB_MODULES:
            raise ValueError(f"prompt_type is box, point or mixed, not {prompt_type!r}")
        of_images = prompting.of_images(prompting.of_rows(prompt_type, prompt))  # before weights are fetched and loaded
        module = self._config["SubModules"][SUB_MODULES[prompt_type]]
        size = batch_size or module.get("batch_size") or 1
        is_fast = self._use_hpip if use_hpip is None else use_hpip
        precision = precision_of(self._precision, is_fast)
        model = self._loaded(module, device or self._device, engine or self._engine, precision)
        return model.predict_given(input, of_images, size, on_error)

    def _loaded(self, module: Mapping[str, Any], device: str | None, engine: str, precision: str) -> Model:
        spec = located(module["model_name"], module.get("model_dir"))
        return self._opened(spec, device, engine, precision)


def create_pipeline(
    pipeline: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    model: str | None = None,
    engine: str = "auto",
    precision: str | None = None,
    pipeline_name: str | None = None,
) -> Pipeline:
    """The pipeline by its name, from the path of a YAML file, or from a `config` like one.

    `model` replaces the models that the configuration names. `device`, `engine` and `precision` are `create_model`'s.
    The fastest engine that is installed is taken with PaddleX's `use_hpip` (here or in the configuration) and without;
    the precision, where none is named, is "float32", and with `use_hpip` "auto", the fastest. `pipeline_name` is how
    PaddleX's tutorial spells `pipeline`.

    Raises FileNotFoundError, and ValueError for a pipeline or configuration that is not this one.
    """
    name = pipeline or pipeline_name
    if config is None:
        if name is None:
            raise ValueError(f"name a pipeline ({NAME}), the path of its YAML file, or a config")
        config = _parsed(default_config() if name == NAME else _read(name), name)
    if not isinstance(config, Mapping) or config.get("pipeline_name") != NAME:
        raise ValueError(f"the configuration is not one of {NAME}: its pipeline_name must be that")
    given = {"model_name": model, "model_dir": None} if model is not None else {}
    modules = {key: {**_module(config, key), **given} for key in sorted(set(SUB_MODULES.values()))}
    for key, module in modules.items():
        if not module.get("model_name"):
            raise ValueError(f"the configuration lacks SubModules.{key}.model_name")
    config = {**config, "SubModules": modules}
    return Pipeline(config, device, engine, precision, use_hpip or bool(config.get("use_hpip")))


def default_config() -> str:
    """The YAML of the pipeline, which names SAM-H_box and SAM-H_point as PaddleX's does."""
    return resources.files("ovseg_core.paddlex").joinpath(f"{NAME}.yaml").read_text()


def _module(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    modules = config.get("SubModules")
    module = modules.get(key) if isinstance(modules, Mapping) else None
    if not isinstance(module, Mapping):
        raise ValueError(f"the configuration lacks SubModules.{key}")
    return module


def _parsed(text: str, name: str | Path) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{str(name)!r} is no YAML: {error}") from None


def _read(name: str | Path) -> str:
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"there is no pipeline {str(name)!r}; this is {NAME}, or the path of its YAML file")
    return path.read_text(encoding="utf-8")
