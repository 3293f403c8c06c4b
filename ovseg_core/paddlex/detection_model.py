"""`create_model` for detectors: one model, which finds the boxes of a prompt in PaddleX's form."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import detectors, devices, models
from ovseg_core.errors import OvsegError
from ovseg_core.paddlex import detection_prompt, inputs
from ovseg_core.paddlex.detection_prompt import Prompt
from ovseg_core.paddlex.detection_result import DetectionResult
from ovseg_core.paddlex.inputs import Unreadable
from ovseg_core.paddlex.run import ON_ERROR, Run, Skipped
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from ovseg_core.paddlex.thresholds import GivenThresholds, Thresholds

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector


class DetectionModel:
    """A detector with PaddleX's interface; `create_model` makes it."""

    def __init__(self, name: str, detector: Detector, limits: Thresholds) -> None:
        self._name, self._detector, self._limits = name, detector, limits
        self._saved_names = SavedNames()

    @property
    def model_name(self) -> str:
        """The name that `create_model` was called with."""
        return self._name

    def predict(
        self,
        input: inputs.Input,
        batch_size: int = 1,
        *,
        prompt: str,
        thresholds: GivenThresholds = None,
        on_error: str = "raise",
    ) -> Run[DetectionResult]:
        """Find the boxes of a prompt in images, one after the other, as the caller iterates over the answer.

        Args:
            input: images, as in `Model.predict`.
            batch_size: how many images are read ahead; the detector runs for one image at a time. 1 or more.
            prompt: phrases that end with full stops, such as "bus . walking man .".
            thresholds: {"box_threshold": ..., "text_threshold": ...}, or one of them, from 0 to 1, instead of those of
                `create_model`. A box is kept if the score of its best word exceeds the first. Its label has the words
                whose scores exceed the second.
            on_error: what happens to an image that cannot be read, "raise" or "skip", as in `Model.predict`.

        Returns:
            An iterator of one `DetectionResult` for each image, in order. Each is computed when it is requested.

        Raises:
            OvsegError: the prompt or a threshold is wrong: `phrase_empty`, `phrase_too_long`, `invalid_options`. While
                iterating, an image cannot be read.
            FileNotFoundError: while iterating, a path does not exist.
            TypeError: an input, the prompt or the thresholds have another type.
            ValueError: `batch_size` or `on_error` is wrong, or an array is not an image.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error must be raise or skip, not {on_error!r}")
        results = self._results(input, batch_size, Prompt.of(prompt), self._limits.changed(thresholds))
        return Run(results, skips=on_error == "skip")

    def _results(
        self, input: inputs.Input, batch_size: int, prompt: Prompt, limits: Thresholds
    ) -> Generator[DetectionResult | Skipped]:
        call, position = object(), -1
        encoded = self._detector.encode_text(prompt.text)
        for batch in inputs.batches(input, batch_size):
            for page in batch:
                position += 1
                if isinstance(page, Unreadable):
                    yield Skipped(page.path, position, page.error)
                    continue
                image = self._detector.encode(page.pixels)
                centres, logits = self._detector.answer(image, encoded)
                boxes = detection_prompt.boxes(prompt, logits, centres, image.image_hw, limits)
                yield DetectionResult(page, boxes, Owner(page.path, page.index, call, position), self._saved_names)


def opened(
    name: str, model_dir: str | Path | None, device: str | None, engine: str, precision: str = "float32"
) -> Detector:
    """Load a detector.

    Args:
        name: a detector of `ovseg models list`.
        model_dir: weights to use instead of the detector's own: a checkpoint file, or the folder of PaddleX's inference
            model GroundingDINO-T, which Paddle Inference runs.
        device: as in `create_model`.
        engine: as in `create_model`.
        precision: as in `detectors.load`.

    Raises:
        OvsegError: `unknown_detector`, or `model_not_installed` if its weights are not on this machine.
        FileNotFoundError: there is no file or folder at `model_dir`.
        ValueError: the weights do not fit, or there is no such device, engine or precision here.
    """
    spec = models.find_detector(name)
    weights = spec.weights if model_dir is None else Path(model_dir)
    if model_dir is None and not spec.is_installed:
        message = f"{name} is not installed here; `ovseg models pull {name}` fetches it to {weights}"
        raise OvsegError("model_not_installed", message, "detector")
    if not weights.exists():
        raise FileNotFoundError(f"model_dir must name a checkpoint file or a folder, and {weights} is neither")
    return detectors.load(spec.network, weights, device or devices.default(), engine, precision)
