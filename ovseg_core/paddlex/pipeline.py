"""`create_pipeline`: a pipeline of PaddleX from its name, a YAML file or a dict; and `open_vocabulary_segmentation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ovseg_core.models.locating import located
from ovseg_core.paddlex import config as configuration
from ovseg_core.paddlex import detection_model, inputs, prompting
from ovseg_core.paddlex.detection_pipeline import MODULE as DETECTION_MODULE
from ovseg_core.paddlex.detection_pipeline import DetectionPipeline
from ovseg_core.paddlex.model import Model, Options, Progress, opened, precision_of
from ovseg_core.paddlex.result import Result
from ovseg_core.paddlex.run import Run

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector

DEFAULT_DETECTOR = {"model_name": "GroundingDINO-T"}  # PaddleX's configuration of this pipeline has no detector
SUB_MODULES = {
    "box": "BoxPromptSegmentation",
    "point": "PointPromptSegmentation",
    "mixed": "BoxPromptSegmentation",
    "everything": "PointPromptSegmentation",  # it clicks on a grid of points
    "text": "BoxPromptSegmentation",  # for the boxes that a detector finds
}


class Pipeline:
    """A model for boxes, one for points, and a detector for text; `create_pipeline` makes it.

    A model is loaded when the first prompt needs it, and only once where both kinds of prompts share weights.
    """

    def __init__(
        self, config: Mapping[str, Any], device: str | None, engine: str, precision: str | None, use_hpip: bool
    ) -> None:
        self._config, self._device, self._engine = config, device, engine
        self._precision, self._use_hpip = precision, use_hpip
        self._opened, self._detector = cache(opened), cache(detection_model.opened)

    def predict(
        self,
        input: inputs.Input,
        prompt: Sequence[Any] | Mapping[str, Any] | str | None = None,
        prompt_type: str = "box",
        *,
        batch_size: int | None = None,
        device: str | None = None,
        engine: str | None = None,
        use_hpip: bool | None = None,
        on_error: str = "raise",
        multimask_output: bool = False,
        on_progress: Progress | None = None,
    ) -> Run[Result]:
        """Segment images, one after the other, as the caller iterates over the answer.

        The options override, for this call, those of `create_pipeline` and of its configuration.

        Args:
            input: images, as in `Model.predict`.
            prompt: the same boxes [[x0, y0, x1, y1], ...], points [[x, y], ...] or objects [{"box": ..., "points": ...,
                "labels": ..., "mask": ...}, ...] for every image, in pixels; or a list of such lists, one for each
                image. Arrays and tensors are accepted wherever lists are. In everything mode, None or a mapping of
                options, see `Model.predict`; for text, what `TextPrompt.of` takes; or a list of these for the images.
            prompt_type: "box" or "point"; or one that PaddleX lacks: "mixed", "everything" (all objects of the image)
                or "text" (a detector finds the boxes of phrases, and the model segments them).
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
            raise ValueError(f"prompt_type must be one of {', '.join(SUB_MODULES)}, not {prompt_type!r}")
        of_images = prompting.of_images(prompting.of_rows(prompt_type, prompt))  # check this before loading weights
        module = self._config["SubModules"][SUB_MODULES[prompt_type]]
        size = batch_size or module.get("batch_size") or 1
        detector = self._loaded_detector(device, engine) if prompt_type == "text" else None
        options = Options(size, on_error, multimask_output, on_progress, detector)
        precision = precision_of(self._precision, self._use_hpip if use_hpip is None else use_hpip)
        model = self._loaded(module, device or self._device, engine or self._engine, precision)
        return model.predict_given(input, of_images, options)

    def _loaded(self, module: Mapping[str, Any], device: str | None, engine: str, precision: str) -> Model:
        spec = located(module["model_name"], module.get("model_dir"))
        return self._opened(spec, device, engine, precision)

    def _loaded_detector(self, device: str | None, engine: str | None) -> Detector:
        module = self._config["SubModules"][DETECTION_MODULE]
        name, folder = module["model_name"], module.get("model_dir")
        return self._detector(name, folder, device or self._device, engine or self._engine)


@overload
def create_pipeline(  # type: ignore[overload-overlap]  # a Literal is also a str
    pipeline: Literal["open_vocabulary_detection"],
    config: None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    detector: str | None = None,
    engine: str = "auto",
) -> DetectionPipeline: ...
@overload
def create_pipeline(
    pipeline: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    model: str | None = None,
    detector: str | None = None,
    engine: str = "auto",
    precision: str | None = None,
    pipeline_name: str | None = None,
) -> Pipeline: ...
def create_pipeline(
    pipeline: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    model: str | None = None,
    detector: str | None = None,
    engine: str = "auto",
    precision: str | None = None,
    pipeline_name: str | None = None,
) -> Pipeline | DetectionPipeline:
    """Configure the pipeline `open_vocabulary_segmentation` or `open_vocabulary_detection`, as PaddleX's function of
    this name does.

    https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_segmentation.html
    https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_detection.html

    Args:
        pipeline: the pipeline's name, or the path of its YAML file.
        config: the content of such a file, instead of `pipeline`.
        device: as in `create_model`.
        use_hpip: as in `create_model`; the configuration may switch it on too. Detectors ignore it.
        model: a name in `ovseg models list` that replaces both models of the configuration, which are PaddleX's
            SAM-H_box and SAM-H_point. In `open_vocabulary_detection`, the same as `detector`.
        detector: a detector in `ovseg models list` that replaces that of the configuration. The default is PaddleX's
            GroundingDINO-T.
        engine: as in `create_model`.
        precision: as in `create_model`. Detectors compute in float32.
        pipeline_name: another name for `pipeline`, which PaddleX's tutorial uses.

    Returns:
        The pipeline. It loads a model when `predict` first needs it, and downloads weights of a model that are not
        installed. Those of a detector are not downloaded.

    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: the pipeline or configuration is not one of these pipelines.
        OvsegError: `invalid_options` if the thresholds of the configuration are wrong.
    """
    config = configuration.read(pipeline or pipeline_name, config)
    if config["pipeline_name"] == configuration.DETECTION:
        module = configuration.module(config, DETECTION_MODULE, detector or model)
        return DetectionPipeline(module, device, engine)
    modules = {key: configuration.module(config, key, model) for key in sorted(set(SUB_MODULES.values()))}
    given = {DETECTION_MODULE: DEFAULT_DETECTOR, **config["SubModules"]}
    modules[DETECTION_MODULE] = configuration.module({"SubModules": given}, DETECTION_MODULE, detector)
    config = {**config, "SubModules": modules}
    return Pipeline(config, device, engine, precision, use_hpip or bool(config.get("use_hpip")))
