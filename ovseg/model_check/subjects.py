"""What is checked: a model that makes masks, or a detector that finds boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ovseg import demo
from ovseg.model_check import answers, box_answers
from ovseg.model_check.answers import Answers
from ovseg.model_check.box_answers import BoxAnswers
from ovseg.model_check.check import Check
from ovseg.model_check.detector_check import DetectorCheck
from ovseg.model_check.row import Row
from ovseg_core import detectors, header, image, networks
from ovseg_core.models import ModelSpec, Published
from ovseg_core.paddlex import detection_model
from ovseg_core.segmenter import Segmenter


class LoadedCheck(Protocol):
    """A check of what is loaded on one engine. `rows` runs it; `answers` and `compared` are for afterwards."""

    @property
    def ran_on(self) -> str: ...

    def rows(self) -> Iterator[Row]: ...

    def answers(self, made_by: str, weights_sha256: str) -> Any: ...

    def compared(self, other: Any) -> Row: ...


class Subject(ABC):
    """What is checked, on one device. `against` describes what its answers are compared with."""

    def __init__(self, spec: Published, device: str, against: str) -> None:
        self.name, self.weights, self.device, self.against = spec.name, spec.weights, device, against

    @abstractmethod
    def variants(self) -> list[tuple[str, str]]:
        """Return each engine and precision that can run it."""

    @abstractmethod
    def loaded(self, engine: str, precision: str) -> LoadedCheck:
        """Load it on an engine. Raises ValueError if its weights do not fit, or the engine cannot be used."""


class ModelSubject(Subject):
    """A model that makes masks.

    Args:
        spec: the model.
        device: where it runs.
        answers_path: a file of known answers; None for those in the package.
        is_to_record: True if new answers are to be recorded. They may differ from those in the package.
    """

    def __init__(self, spec: ModelSpec, device: str, answers_path: Path | None, is_to_record: bool) -> None:
        self._spec = spec
        of_sam_lite = answers.of_model("SAM-Lite")
        assert of_sam_lite is not None
        self._of_sam_lite = of_sam_lite
        of_package = None if is_to_record else answers.of_model(spec.name)
        self._known = Answers.read(answers_path) if answers_path else of_package
        rough = "only roughly, with SAM-Lite's masks"
        super().__init__(spec, device, f"with the answers of {self._known.made_by}" if self._known else rough)

    def variants(self) -> list[tuple[str, str]]:
        network, weights, device = self._spec.network, self._spec.weights, self.device
        on = networks.engines(network, device)
        return [(engine, p) for engine in on for p in networks.precisions(network, weights, device, engine)]

    def loaded(self, engine: str, precision: str) -> Check:
        try:
            segmenter = Segmenter.of(self._spec, self.device, engine, precision)
        except ValueError as error:
            raise ValueError(f"{self.name} cannot be loaded: {error}") from error
        return Check(segmenter, _photo(), self._known, self._of_sam_lite)


class DetectorSubject(Subject):
    """A detector. For the arguments see `ModelSubject`."""

    def __init__(self, spec: Published, device: str, answers_path: Path | None, is_to_record: bool) -> None:
        self._network = spec.network
        of_package = None if is_to_record else box_answers.of_detector(spec.name)
        self._known = BoxAnswers.read(answers_path) if answers_path else of_package
        rough = "only roughly, with the places of the photo's objects"
        super().__init__(spec, device, f"with the answers of {self._known.made_by}" if self._known else rough)

    def variants(self) -> list[tuple[str, str]]:
        usable = detectors.engines(self._network, self.device)
        return [(engine, p) for engine in usable for p in detectors.precisions(engine)]

    def loaded(self, engine: str, precision: str) -> DetectorCheck:
        engine = detectors.choose_engine(self._network, self.device, engine)
        precision = "float32" if precision == "auto" else precision
        try:
            detector = detection_model.opened(self.name, None, self.device, engine, precision)
        except ValueError as error:
            raise ValueError(f"{self.name} cannot be loaded: {error}") from error
        return DetectorCheck(detector, engine, precision, _photo(), self._known)


def _photo() -> np.ndarray:
    return image.decode(demo.PHOTO.read_bytes(), header.MOST_PIXELS)
