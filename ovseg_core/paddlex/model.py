"""`create_model`: one model, which predicts masks from prompts of any kind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from ovseg_core import answer, devices, models, text_prompt
from ovseg_core.answer import Answer
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.models.locating import located
from ovseg_core.models.spec import ModelSpec
from ovseg_core.paddlex import detection_model, inputs, prompting
from ovseg_core.paddlex.detection_model import DetectionModel
from ovseg_core.paddlex.inputs import Unreadable
from ovseg_core.paddlex.prompting import Prompts
from ovseg_core.paddlex.result import Result
from ovseg_core.paddlex.run import ON_ERROR, Run, Skipped
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.paddlex.thresholds import GivenThresholds, Thresholds
from ovseg_core.segmenter import Segmenter

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector

Progress = Callable[[int, int], None]  # called with the number of clicks that are done, and their total


@dataclass(frozen=True)
class Options:
    """The options of a call of `Model.predict`, which describes them. Raises ValueError if one is wrong.

    `detector` finds the boxes of text prompts; without it there are none.
    """

    batch_size: int = 1
    on_error: str = "raise"
    multimask_output: bool = False
    on_progress: Progress | None = None
    detector: Detector | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}")
        if self.on_error not in ON_ERROR:
            raise ValueError(f"on_error must be raise or skip, not {self.on_error!r}")


class Model:
    """A model that predicts masks from prompts; `create_model` makes it."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._saved_names = SavedNames()

    @property
    def model_name(self) -> str:
        """The name that `create_model` was called with."""
        return self._segmenter.spec.name

    @property
    def engine(self) -> str:
        """The engine that runs the network, "openvino", "onnxruntime" or "paddle"."""
        return self._segmenter.engine

    @property
    def precision(self) -> str:
        """The precision that the network computes in, "float32", "bfloat16", "float16" or "int8"."""
        return self._segmenter.precision

    def predict(
        self,
        input: inputs.Input,
        prompts: Prompts | Iterable[Prompts],
        batch_size: int = 1,
        on_error: str = "raise",
        *,
        multimask_output: bool = False,
        on_progress: Progress | None = None,
    ) -> Run[Result]:
        """Segment images, one after the other, as the caller iterates over the answer.

        An image is encoded once for all its prompts.

        Args:
            input: an array (H, W, 3) uint8 in BGR, or (H, W) grey, or (H, W, 4) BGRA; the path of an image, PDF or
                folder; a URL; or several of these in a list, an array or column of paths, an iterator or a generator.
                Each page of a PDF or TIFF is an image.
            prompts: {"box_prompt": [[x0, y0, x1, y1], ...]} or {"point_prompt": [[x, y], ...]} in pixels of the image,
                each box and each point an object of its own; or, which PaddleX lacks, {"mixed_prompt": [{"box": [x0,
                y0, x1, y1], "points": [[x, y], ...], "labels": [1, 0, ...], "mask": mask}, ...]}, each an object with a
                box, points, an earlier mask in any form of `MaskPrompt.of`, or several of these; without labels all
                points are on the object; or, which PaddleX lacks too, {"everything_prompt": options}: all objects of
                the image, with the options of `EverythingOptions` by name, or None. Arrays and tensors of NumPy, Paddle
                and torch are accepted wherever lists are. Or a list or generator of such mappings, one for each image.
            batch_size: how many images, of any sizes, the encoder computes in one run; 1 or more.
            on_error: what happens to an image that cannot be read or does not contain one of its prompts. "raise" ends
                the loop with the error, after the results of the images before it. "skip" logs the error, keeps it in
                the answer's `skipped`, and continues with the next image and the next prompts.
            multimask_output: True returns all masks that the model has for each prompt, see `Segmenter.candidates`.
                False returns one mask for each prompt.
            on_progress: for everything mode, which takes long: called after each batch of clicks with the number of
                clicks that are done in the image, and their total.

        Returns:
            An iterator of one `Result` for each image, in order. Each is computed when it is requested.

        Raises:
            OvsegError: while iterating, an image cannot be read, or a prompt is wrong or lies outside its image; the
                message has the path or URL of the image. `prompt_not_supported` if the model cannot take such prompts;
                `invalid_options` if an option of everything mode is wrong.
            FileNotFoundError: while iterating, a path does not exist.
            ValueError: `batch_size` or `on_error` is wrong, the prompts do not have one of these forms, there are fewer
                prompts than images, or an array is not an image.
            TypeError: an input has another type.
        """
        options = Options(batch_size, on_error, multimask_output, on_progress)
        return self.predict_given(input, prompting.of_images(prompts), options)

    def predict_given(self, input: inputs.Input, of_images: Iterator[prompting.Given], options: Options) -> Run[Result]:
        """Do as `predict`, for prompts that are already parsed."""
        return Run(self._results(input, of_images, options), skips=options.on_error == "skip")

    def _results(
        self, input: inputs.Input, of_images: Iterator[prompting.Given], options: Options
    ) -> Generator[Result | Skipped]:
        call, position = object(), -1
        for batch in inputs.batches(input, options.batch_size):
            pages = [page for page in batch if not isinstance(page, Unreadable)]
            embeddings = iter(self._segmenter.encode_batch([page.pixels for page in pages]))
            for page in batch:
                position += 1
                given = next(of_images, None)
                if given is None:
                    raise ValueError("there are fewer prompts than images; give one mapping, or one for each image")
                if isinstance(page, Unreadable):
                    yield Skipped(page.path, position, page.error)
                    continue
                embedding = next(embeddings)
                try:
                    given.check_within(embedding.frame.image_hw, page.path)
                except OvsegError as error:
                    yield Skipped(page.path, position, error)
                    continue
                found = given
                if given.text is not None:
                    if options.detector is None:
                        raise ValueError("text prompts need a detector: use create_pipeline with prompt_type='text'")
                    found = given.with_boxes(text_prompt.found(options.detector, page.pixels, given.text))
                answers = self._answers(page, embedding, found, options)
                owner = Owner(page.path, page.index, call, position)
                yield Result(page, found, answers, options.multimask_output, self._segmenter, owner, self._saved_names)

    def _answers(
        self, page: inputs.Page, embedding: Embedding, given: prompting.Given, options: Options
    ) -> list[Answer]:
        if given.everything is None:
            if options.multimask_output:
                return answer.of(given.prompts, self._segmenter.candidates(embedding, given.prompts))
            return answer.of(given.prompts, [[mask] for mask in self._segmenter.decode(embedding, given.prompts)])
        found: list[Answer] = []
        for step in self._segmenter.everything(page.pixels, embedding, **given.everything):
            found = step.answers
            if options.on_progress is not None:
                options.on_progress(step.points_done, step.points_total)
        return found


@overload
def create_model(  # type: ignore[overload-overlap]  # a Literal is also a str
    model_name: Literal["GroundingDINO-T", "GroundingDINO-T_infer", "GroundingDINO-B", "LLMDet-T"],
    model_dir: str | Path | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    engine: str = "auto",
    thresholds: GivenThresholds = None,
) -> DetectionModel: ...
@overload
def create_model(
    model_name: str,
    model_dir: str | Path | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    engine: str = "auto",
    precision: str | None = None,
) -> Model: ...
def create_model(
    model_name: str,
    model_dir: str | Path | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    engine: str = "auto",
    precision: str | None = None,
    thresholds: GivenThresholds = None,
) -> Model | DetectionModel:
    """Load a model, as PaddleX's function of this name does.

    https://paddlepaddle.github.io/PaddleX/latest/en/module_usage/tutorials/cv_modules/open_vocabulary_segmentation.html

    Weights that are not installed are downloaded first, except those of a detector. For PaddleX's names SAM-H_box and
    SAM-H_point these are Meta's SAM-H, which serves both.

    Args:
        model_name: a name in `ovseg models list`, such as "SAM-Lite", "SAM-B" or PaddleX's "SAM-H_box"; or a detector,
            such as PaddleX's "GroundingDINO-T".
        model_dir: weights to use instead of the model's own: a checkpoint file in any format that
            `ovseg_core.checkpoints` reads, or a folder with one of PaddleX's inference models.
        device: "cpu", "gpu:N" or another device of `ovseg_core.devices`. The default is the first GPU that Paddle can
            use, or the CPU if there is none.
        use_hpip: PaddleX's switch for high performance: it makes "auto" the default of `precision`.
        engine: "openvino", "onnxruntime" or "paddle"; "auto" is the fastest that is installed.
        precision: "float32", whose results equal PaddleX's and which is the default; "auto", the fastest; "bfloat16" or
            "float16" on a GPU; docs/models.md lists those of a CPU. Detectors compute in float32.
        thresholds: only for a detector: its thresholds, see `DetectionModel.predict`.

    Returns:
        The model, ready to predict: a `DetectionModel` for a detector.

    Raises:
        OvsegError: `unknown_model`; `model_not_installed` for a detector without weights; `invalid_options` if a
            threshold is wrong.
        PullFailed: the weights could not be downloaded; the message says where to put the file.
        FileNotFoundError: there is nothing at `model_dir`.
        ValueError: the weights do not fit the model, there is no such device, engine or precision for it here, or
            OVSEG_MODELS_MIRROR is not a URL.
    """
    if models.is_detector(model_name):
        limits = Thresholds().changed(thresholds)
        return DetectionModel(model_name, detection_model.opened(model_name, model_dir, device, engine), limits)
    if thresholds is not None:
        raise ValueError(f"only a detector has thresholds, and {model_name} is none")
    spec = located(model_name, model_dir)
    return opened(replace(spec, name=model_name), device, engine, precision_of(precision, use_hpip))


def precision_of(named: str | None, use_hpip: bool) -> str:
    """Return the named precision, or the default: "auto" with PaddleX's `use_hpip`, "float32" without."""
    return named if named is not None else "auto" if use_hpip else "float32"


def opened(spec: ModelSpec, device: str | None, engine: str, precision: str) -> Model:
    """Return the model for weights that are installed. Raises as `create_model`."""
    return Model(Segmenter.of(spec, device or devices.default(), engine, precision))
