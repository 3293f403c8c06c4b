"""PaddleX's pipeline `open_vocabulary_detection`: the boxes of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ovseg_core.paddlex import detection_model, inputs
from ovseg_core.paddlex.detection_model import DetectionModel
from ovseg_core.paddlex.detection_result import DetectionResult
from ovseg_core.paddlex.run import Run
from ovseg_core.paddlex.thresholds import GivenThresholds, Thresholds

MODULE = "OpenVocabularyDetection"


class DetectionPipeline:
    """A detector with the options of a configuration; `create_pipeline` makes it.

    The detector is loaded by the first `predict`.
    """

    def __init__(self, module: Mapping[str, Any], device: str | None, engine: str) -> None:
        self._module, self._device, self._engine = module, device, engine
        self._limits = Thresholds().changed(module.get("thresholds"))
        self._opened = cache(self._open)

    def predict(
        self,
        input: inputs.Input,
        prompt: str,
        thresholds: GivenThresholds = None,
        *,
        batch_size: int | None = None,
        device: str | None = None,
        engine: str | None = None,
        on_error: str = "raise",
    ) -> Run[DetectionResult]:
        """Find the boxes of a prompt in images, one after the other, as the caller iterates over the answer.

        Args:
            input: images, as in `DetectionModel.predict`.
            prompt: as in `DetectionModel.predict`.
            thresholds: as in `DetectionModel.predict`, instead of those of the configuration.
            batch_size: as in `DetectionModel.predict`; the default is that of the configuration, or 1.
            device: as in `create_model`, instead of that of `create_pipeline`.
            engine: as in `create_model`, instead of that of `create_pipeline`.
            on_error: "raise" or "skip", as in `DetectionModel.predict`.

        Returns:
            An iterator of one `DetectionResult` for each image, in order. Each is computed when it is requested.

        Raises:
            OvsegError: `model_not_installed` if the weights of the detector are not on this machine. Also all errors of
                `create_model` and `DetectionModel.predict`.
        """
        model = self._opened(device or self._device, engine or self._engine)
        size = batch_size or self._module.get("batch_size") or 1
        return model.predict(input, size, prompt=prompt, thresholds=thresholds, on_error=on_error)

    def _open(self, device: str | None, engine: str) -> DetectionModel:
        name = self._module["model_name"]
        detector = detection_model.opened(name, self._module.get("model_dir"), device, engine)
        return DetectionModel(name, detector, self._limits)
