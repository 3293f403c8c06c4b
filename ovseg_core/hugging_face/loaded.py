"""The models of a pipeline: which ones, and the same loaded on a device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from ovseg_core import models
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.models import recognition
from ovseg_core.models.locating import located
from ovseg_core.paddlex import detection_model
from ovseg_core.segmenter import Segmenter

DEFAULT_SEGMENTER = "SAM-Lite"  # the bundled model
DEFAULT_DETECTOR = "GroundingDINO-T"

Given = str | Path | Segmenter | Detector | None  # a model as the caller names it
Known = tuple[str, Path | None]  # the name of a model or detector, with a file of weights or None for its own


@dataclass(frozen=True)
class Choice:
    """Which models to load, and how.

    Attributes:
        segmenter: a name, or a model that is loaded.
        detector: the same of the detector.
        is_detector: True if the caller named a detector as the model.
        engine: as in `Segmenter.of`.
        precision: of the segmenter, as in `Segmenter.of`.
    """

    segmenter: Known | Segmenter
    detector: Known | Detector
    is_detector: bool
    engine: str
    precision: str

    @classmethod
    def of(cls, model: Given, detector: Given, engine: str, precision: str) -> Self:
        """Find the models that are named.

        Raises OvsegError `unknown_model`, FileNotFoundError, and ValueError if `detector` is not a detector.
        """
        found = None if model is None else _found(model)
        searches = (DEFAULT_DETECTOR, None) if detector is None else _found(detector)
        if not _is_detector(searches):
            known = ", ".join(models.all_detectors())
            raise ValueError(f"detector: {detector} is not a detector; available: {known}")
        if found is not None and _is_detector(found):
            return cls((DEFAULT_SEGMENTER, None), found, True, engine, precision)  # type: ignore[arg-type]
        segments = (DEFAULT_SEGMENTER, None) if found is None else found
        return cls(segments, searches, False, engine, precision)  # type: ignore[arg-type]

    def check_copies(self) -> None:
        """Raise ValueError if a model is loaded: it is on one device, and cannot be copied to others."""
        if not (isinstance(self.segmenter, tuple) and isinstance(self.detector, tuple)):
            raise ValueError("a model that is loaded stays on its device; name it to use several devices")


def _found(given: str | Path | Segmenter | Detector) -> Known | Segmenter | Detector:
    if isinstance(given, Segmenter | Detector):
        return given
    if isinstance(given, str) and not _is_path(given):
        return models.find_any(given).name, None
    name, file = recognition.recognised(Path(given).expanduser())
    return name, file


def _is_path(given: str) -> bool:
    """True if a string is not a name but a path: it exists, or begins or ends as paths of weights do."""
    return given.startswith(("/", "./", "../", "~")) or given.endswith(recognition.SUFFIXES) or Path(given).exists()


def _is_detector(found: Known | Segmenter | Detector) -> bool:
    return isinstance(found, Detector) or (isinstance(found, tuple) and models.is_detector(found[0]))


class Loaded:
    """The models on one device. Each is loaded when it is first used."""

    def __init__(self, choice: Choice, device: str) -> None:
        self._choice, self._device = choice, device

    def load(self, *, is_detection: bool) -> None:
        """Load what a task always uses: the detector or the segmenter."""
        _ = self.detector if is_detection else self.segmenter

    @cached_property
    def segmenter(self) -> Segmenter:
        """The segmenter. Raises as `locating.located` and `Segmenter.of`."""
        choice = self._choice
        if isinstance(choice.segmenter, Segmenter):
            return choice.segmenter
        return Segmenter.of(located(*choice.segmenter), self._device, choice.engine, choice.precision)

    @cached_property
    def detector(self) -> Detector:
        """The detector. Raises as `detection_model.opened`."""
        if isinstance(self._choice.detector, Detector):
            return self._choice.detector
        return detection_model.opened(*self._choice.detector, self._device, self._choice.engine)
