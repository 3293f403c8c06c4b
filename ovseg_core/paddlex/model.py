"""`create_model`: one model, predicting from prompts of one kind or of any."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ovseg_core import devices, models
from ovseg_core.errors import OvsegError
from ovseg_core.models.pull import PullFailed, pull
from ovseg_core.models.spec import ModelSpec
from ovseg_core.paddle_inference.family import NAME as PADDLE_INFERENCE
from ovseg_core.paddle_inference.folder import InferenceFolder
from ovseg_core.paddlex import inputs, prompting
from ovseg_core.paddlex.inputs import Unreadable
from ovseg_core.paddlex.prompting import Prompts
from ovseg_core.paddlex.result import Result
from ovseg_core.paddlex.run import Run, Skipped
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.segmenter import Segmenter

ON_ERROR = ("raise", "skip")


class Model:
    """What `create_model` gives."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._saved_names = SavedNames()

    @property
    def model_name(self) -> str:
        return self._segmenter.spec.name

    @property
    def engine(self) -> str:
        """What the network runs on: "openvino", "onnxruntime" or "paddle"."""
        return self._segmenter.engine

    @property
    def precision(self) -> str:
        """What it computes in: "float32", "bfloat16", "float16" or "int8"."""
        return self._segmenter.precision

    def predict(
        self,
        input: inputs.Input,
        prompts: Prompts | Iterable[Prompts],
        batch_size: int = 1,
        on_error: str = "raise",
    ) -> Run:
        """A result for each image, lazily.

        `prompts` are {"box_prompt": [[x0, y0, x1, y1], ...]} or {"point_prompt": [[x, y], ...]}, each box and point an
        object of its own, in pixels of the image; or ours, {"mixed_prompt": [{"box": ..., "points": [[x, y], ...],
        "labels": [1, 0, ...]}, ...]}. Arrays and tensors of NumPy, Paddle and torch will do wherever lists will. A list
        (or generator) of these has one for each image. An image is encoded once for all its prompts, and `batch_size`
        images, whatever their sizes, in one run of the encoder.

        With `on_error` "skip" an image that cannot be read, or that does not contain one of its prompts, is logged and
        kept in the answer's `skipped`, and the loop goes on with the next image and the next prompts. With "raise" it
        ends the loop, once all images before it are answered.

        Raises OvsegError for an image that cannot be read and for a prompt that is wrong or lies outside an image, with
        the image's path or URL in the message; FileNotFoundError for a path where nothing lies; ValueError for what are
        no prompts, for fewer prompts than images, and for an array that is no image; TypeError for an input of another
        kind.
        """
        return self.predict_given(input, prompting.of_images(prompts), batch_size, on_error)

    def predict_given(
        self, input: inputs.Input, of_images: Iterator[prompting.Given], batch_size: int, on_error: str
    ) -> Run:
        """As `predict`, of prompts that are parsed."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error is raise or skip, not {on_error!r}")
        return Run(self._results(input, of_images, batch_size), skips=on_error == "skip")

    def _results(
        self, input: inputs.Input, of_images: Iterator[prompting.Given], batch_size: int
    ) -> Generator[Result | Skipped]:
        call, position = object(), -1
        for batch in inputs.batches(input, batch_size):
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
                masks = self._segmenter.decode(embedding, given.prompts)
                owner = Owner(page.path, page.index, call, position)
                yield Result(page, given.plain, given.prompts, masks, self._segmenter, owner, self._saved_names)


def create_model(
    model_name: str,
    model_dir: str | Path | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    engine: str = "auto",
    precision: str | None = None,
) -> Model:
    """A model by its name in `ovseg models list`, PaddleX's `SAM-H_box` and `SAM-H_point` among them.

    Weights that are not here are fetched: Meta's SAM-H for PaddleX's two names, since it serves both. `model_dir` names
    a checkpoint file instead (any format that `ovseg_core.checkpoints` reads), or a folder with one of PaddleX's
    inference models. `device` is "cpu", "gpu:N" or another of `ovseg_core.devices`; by default the first GPU where
    Paddle sees one. `engine` "auto" is the fastest that is installed. `precision` is "float32", whose results equal
    PaddleX's; or "auto", on a GPU also "bfloat16" and "float16", on a CPU what docs/models.md says. It is "float32" if
    none is named, and with PaddleX's `use_hpip` "auto", the fastest.

    Raises OvsegError `unknown_model`, PullFailed, FileNotFoundError, and ValueError as `Segmenter.open`.
    """
    spec = located(model_name, model_dir)
    return opened(replace(spec, name=model_name), device, engine, precision_of(precision, use_hpip))


def precision_of(named: str | None, use_hpip: bool) -> str:
    """The one that is named, or what PaddleX's `use_hpip` means."""
    return named if named is not None else "auto" if use_hpip else "float32"


def opened(spec: ModelSpec, device: str | None, engine: str, precision: str) -> Model:
    """As `create_model`, of weights that are here."""
    return Model(Segmenter.of(spec, device or devices.default(), engine, precision))


def located(model_name: str, model_dir: str | Path | None) -> ModelSpec:
    """A model whose weights are here, fetched if need be. Raises as `create_model`."""
    if model_dir is not None:
        return _in(Path(model_dir), models.find(model_name))
    spec = models.resolved(model_name)
    if not spec.is_installed:
        spec = models.find(spec.falls_to) if spec.falls_to else spec
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
    network = models.find(spec.falls_to).network if spec.falls_to else spec.network
    return replace(spec, network=network, weights=path)


def _pull(spec: ModelSpec) -> None:
    try:
        pull(spec)
    except PullFailed as error:
        raise PullFailed(
            f"{error} (On the command line that is --model SAM-Lite, in Python model='SAM-Lite'.)"
        ) from None
