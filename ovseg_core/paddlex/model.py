"""`create_model`: one model, predicting from prompts of one kind or of any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ovseg_core import models
from ovseg_core.models.pull import PullFailed, pull
from ovseg_core.models.spec import ModelSpec
from ovseg_core.paddlex import inputs
from ovseg_core.paddlex.result import Result
from ovseg_core.prompts import Prompt, fit
from ovseg_core.segmenter import Segmenter

# PaddleX has one model for boxes and one for points, with the same weights.
ALIASES = {"SAM-H_box": "SAM-H", "SAM-H_point": "SAM-H"}

Prompts = Mapping[str, Sequence[Any]]


class Model:
    """What `create_model` gives."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    @property
    def model_name(self) -> str:
        return self._segmenter.spec.name

    @property
    def engine(self) -> str:
        """What the network runs on: "openvino" or "paddle"."""
        return self._segmenter.engine

    def predict(self, input: inputs.Input, prompts: Prompts, batch_size: int = 1) -> Iterator[Result]:
        """A result for each image, lazily.

        `prompts` are {"box_prompt": [[x0, y0, x1, y1], ...]} or {"point_prompt": [[x, y], ...]}, each box and point an
        object of its own, in pixels of the image; or ours, {"mixed_prompt": [{"box": ..., "points": [[x, y], ...],
        "labels": [1, 0, ...]}, ...]}. The image is encoded once for all of them.

        `batch_size` is PaddleX's; images are encoded one by one, whatever it says.

        Raises OvsegError for a prompt that is wrong or lies outside an image.
        """
        wanted = parsed(prompts)
        given = {kind: _plain(list(values)) for kind, values in prompts.items()}
        for page in inputs.pages(input):
            fitted = fit(wanted, page.pixels.shape[:2], field="prompts")
            masks = self._segmenter.decode(self._segmenter.encode(page.pixels), fitted)
            yield Result(page, given, wanted, masks)


def create_model(
    model_name: str, model_dir: str | Path | None = None, device: str | None = None, engine: str = "auto"
) -> Model:
    """A model by its name in `ovseg models list`, or PaddleX's `SAM-H_box` and `SAM-H_point`.

    Its weights are fetched if they are not here; `model_dir` names a checkpoint file instead (any format that
    `ovseg_core.checkpoints` reads). `device` is "cpu" or "gpu:N"; by default the first GPU where Paddle sees one.

    Raises OvsegError `unknown_model`, PullFailed, FileNotFoundError, and ValueError as `Segmenter.open`.
    """
    spec = models.find(ALIASES.get(model_name, model_name))
    spec = replace(spec, name=model_name)
    if model_dir is not None:
        path = Path(model_dir)
        if not path.is_file():
            raise FileNotFoundError(f"model_dir must name a checkpoint file, which {path} is not")
        spec = replace(spec, weights=path)
    elif not spec.is_installed:
        _pull(spec)
    return Model(Segmenter.of(spec, device or default_device(), engine))


def parsed(prompts: Prompts) -> list[Prompt]:
    """Raises OvsegError `invalid_prompt`, ValueError for an unknown kind."""
    found = []
    for kind, values in prompts.items():
        if kind == "box_prompt":
            found += [Prompt.of_box(*map(float, value)) for value in _rows(values, 4, kind)]
        elif kind == "point_prompt":
            found += [Prompt.of_point(*map(float, value)) for value in _rows(values, 2, kind)]
        elif kind == "mixed_prompt":
            found += [_mixed(value) for value in values]
        else:
            raise ValueError(f"prompts are of kind box_prompt, point_prompt or mixed_prompt, not {kind!r}")
    return found


def default_device() -> str:
    """The first GPU where there is one that Paddle can use, else the CPU."""
    from ovseg_core.quiet_paddle import paddle

    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    return "gpu:0" if has_gpu else "cpu"


def _pull(spec: ModelSpec) -> None:
    try:
        pull(spec)
    except PullFailed as error:
        raise PullFailed(
            f"{error} (On the command line that is --model SAM-Lite, in Python model='SAM-Lite'.)"
        ) from None


def _mixed(value: Mapping[str, Any]) -> Prompt:
    box = value.get("box")
    points = tuple((float(x), float(y)) for x, y in value.get("points", ()))
    labels = tuple(value.get("labels", (1,) * len(points)))
    return Prompt(tuple(map(float, box)) if box is not None else None, points, labels)  # type: ignore[arg-type]


def _rows(values: Sequence[Any], length: int, kind: str) -> Sequence[Any]:
    for i, value in enumerate(values):
        if not hasattr(value, "__len__") or len(value) != length:
            raise ValueError(f"{kind}[{i}] must be a list of {length} numbers, not {value!r}")
    return values


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
