"""`create_pipeline`: PaddleX's `open_vocabulary_segmentation`, from its name, a YAML file or a dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ovseg_core.paddlex import inputs, prompting
from ovseg_core.paddlex.model import Model, Options, Progress, located, opened, precision_of
from ovseg_core.paddlex.run import Run

NAME = "open_vocabulary_segmentation"
SUB_MODULES = {
    "box": "BoxPromptSegmentation",
    "point": "PointPromptSegmentation",
    "mixed": "BoxPromptSegmentation",
    "everything": "PointPromptSegmentation",  # it clicks on a grid of points
}


class Pipeline:
    """A model for boxes and one for points; `create_pipeline` makes it.

    A model is loaded when the first prompt needs it, and only once where both kinds of prompts share weights.
    """

    def __init__(
        self, config: Mapping[str, Any], device: str | None, engine: str, precision: str | None, use_hpip: bool
    ) -> None:
        self._config, self._device, self._engine = config, device, engine
        self._precision, self._use_hpip = precision, use_hpip
        self._opened = cache(opened)

    def predict(
        self,
        input: inputs.Input,
        prompt: Sequence[Any] | Mapping[str, Any] | None = None,
        prompt_type: str = "box",
        *,
        batch_size: int | None = None,
        device: str | None = None,
        engine: str | None = None,
        use_hpip: bool | None = None,
        on_error: str = "raise",
        multimask_output: bool = False,
        on_progress: Progress | None = None,
    ) -> Run:
        """Segment images, one after the other, as the caller iterates over the answer.

        The options override, for this call, those of `create_pipeline` and of its configuration.

        Args:
            input: images, as in `Model.predict`.
            prompt: the same boxes [[x0, y0, x1, y1], ...], points [[x, y], ...] or objects [{"box": ..., "points": ...,
                "labels": ..., "mask": ...}, ...] for every image, in pixels; or a list of such lists, one for each
                image. Arrays and tensors are accepted wherever lists are. In everything mode, None or a mapping of
                options, see `Model.predict`; or a list of these, one for each image.
            prompt_type: what `prompt` has: "box", "point" or, which PaddleX lacks, "mixed"; or "everything", which
                PaddleX lacks too: all objects of the image.
            batch_size: how many images the encoder computes in one run. The default is that of the configuration, or 1.
            device: as in `create_model`.
            engine: as in `create_model`.
            use_hpip: as in `create_model`.
            on_error: "raise" or "skip", as in `Model.predict`.
            multimask_output: as in `Model.predict`.
            on_progress: as in `Model.predict`.

        Returns:
            An iterator of one `Result` for each image, in order. Each is computed when it is requested.

        Raises:
            ValueError: there is no such `prompt_type`. Also all errors of `create_model` and `Model.predict`.
        """
        if prompt_type not in SUB_MODULES:
            raise ValueError(f"prompt_type must be box, point, mixed or everything, not {prompt_type!r}")
        of_images = prompting.of_images(prompting.of_rows(prompt_type, prompt))  # check this before loading weights
        module = self._config["SubModules"][SUB_MODULES[prompt_type]]
        size = batch_size or module.get("batch_size") or 1
        options = Options(size, on_error, multimask_output, on_progress)
        is_fast = self._use_hpip if use_hpip is None else use_hpip
        precision = precision_of(self._precision, is_fast)
        model = self._loaded(module, device or self._device, engine or self._engine, precision)
        return model.predict_given(input, of_images, options)

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
    """Configure the pipeline `open_vocabulary_segmentation`, as PaddleX's function of this name does.

    https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_segmentation.html

    Args:
        pipeline: the pipeline's name, or the path of its YAML file.
        config: the content of such a file, instead of `pipeline`.
        device: as in `create_model`.
        use_hpip: as in `create_model`; the configuration may switch it on too.
        model: a name in `ovseg models list` that replaces both models of the configuration, which are PaddleX's
            SAM-H_box and SAM-H_point.
        engine: as in `create_model`.
        precision: as in `create_model`.
        pipeline_name: another name for `pipeline`, which PaddleX's tutorial uses.

    Returns:
        The pipeline. It loads a model, and downloads weights that are not installed, when `predict` first needs them.

    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: the pipeline or configuration is not one of `open_vocabulary_segmentation`.
    """
    name = pipeline or pipeline_name
    if config is None:
        if name is None:
            raise ValueError(f"name a pipeline ({NAME}), the path of its YAML file, or a config")
        config = _parsed(_read(name), name)
    if not isinstance(config, Mapping) or config.get("pipeline_name") != NAME:
        raise ValueError(f"the configuration's pipeline_name must be {NAME}")
    given = {"model_name": model, "model_dir": None} if model is not None else {}
    modules = {key: {**_module(config, key), **given} for key in sorted(set(SUB_MODULES.values()))}
    for key, module in modules.items():
        if not module.get("model_name"):
            raise ValueError(f"the configuration lacks SubModules.{key}.model_name")
    config = {**config, "SubModules": modules}
    return Pipeline(config, device, engine, precision, use_hpip or bool(config.get("use_hpip")))


def default_config(name: str = NAME) -> str:
    """Return the pipeline's YAML. It names SAM-H_box and SAM-H_point, as PaddleX's does.

    Raises ValueError if there is no pipeline of this name.
    """
    if name != NAME:
        raise ValueError(f"there is no pipeline {name!r}, only {NAME}, which a .yaml file can configure")
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
        raise ValueError(f"{str(name)!r} is not YAML: {error}") from None


def _read(name: str | Path) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.suffix in (".yaml", ".yml") else default_config(str(name))
