"""Detectors that run on the device's one thread, between the calls of segmenters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ovseg_core import detectors, digests, models
from ovseg_core.paddlex import detection_model
from worker.inference.batcher import Batcher, BatchKey
from worker.inference.urgency import Urgency

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detections import Searched
    from ovseg_core.grounding_dino.detector import Detector, EncodedImage
    from ovseg_core.grounding_dino.text import Text

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Detectors:
    """The detectors of a worker on its device. Callable from any thread.

    The thread that runs the segmenters also loads and runs the detectors. The image part and each pass of phrases are
    calls of their own, so that the clicks of other jobs run between them. A pass is not divided further: one part of
    it, which fuses the image with the phrases, takes 88 % of its time. The milliseconds are without the wait for that
    thread.
    """

    def __init__(
        self,
        device: str,
        engine: str,
        thread: Batcher | None = None,
        open_detector: Callable[[str, Path | None, str, str], Detector] = detection_model.opened,
    ) -> None:
        """Load no detector yet; each is loaded when it is first used.

        Args:
            device: "cpu" or "gpu:N".
            engine: The engine for all detectors that can run on it, or "auto".
            thread: Runs the networks; a new one by default.
            open_detector: Called with a detector's name, None, a device and an engine.
        """
        self._device, self._engine = device, engine
        self._thread = thread or Batcher("detection")
        self._open = open_detector
        self._detectors: dict[str, Detector] = {}

    @property
    def loaded(self) -> dict[str, tuple[str, str]]:
        """The engine and the precision of each detector that was used."""
        return {name: self.engine(name) for name in list(self._detectors)}

    def encode(
        self, detector: str, image_rgb: np.ndarray, urgency: Urgency = Urgency.NORMAL
    ) -> tuple[EncodedImage, float]:
        """Return the features of an image (H, W, 3) uint8, and the milliseconds."""
        loaded = self._loaded(detector)
        return self._run(partial(loaded.encode, image_rgb), urgency)

    def is_costly(self, detector: str) -> bool:
        """False: encoded images of detectors are not shared between workers."""
        return False

    def search(
        self,
        detector: str,
        image: EncodedImage,
        phrases: Sequence[str],
        urgency: Urgency = Urgency.NORMAL,
        check: Callable[[], None] = lambda: None,
        report: Callable[[Sequence[Searched], int], None] = lambda found, passes: None,
    ) -> tuple[list[Searched], float]:
        """Return what each pass of the phrases finds, for `text_prompt.best`, and the milliseconds.

        `check` is called before each pass, and may raise an exception to stop. `report` is called before the first pass
        and after each one, with what was found and the number of all passes.

        Raises OvsegError `phrase_unreadable` or `phrase_too_long`; its field is `phrases[i]`.
        """
        loaded = self._loaded(detector)
        found: list[Searched] = []
        total = 0.0
        passes = list(loaded.passes(phrases))
        report(found, len(passes))
        for each in passes:
            check()
            searched, milliseconds = self._run(partial(loaded.search, image, each), urgency)
            found.append(searched)
            report(found, len(passes))
            total += milliseconds
        return found, round(total, 2)

    def answer(
        self, detector: str, image: EncodedImage, asked: Text, urgency: Urgency = Urgency.NORMAL
    ) -> tuple[tuple[np.ndarray, np.ndarray], float]:
        """Return the boxes and logits of `Detector.answer` for one text, and the milliseconds."""
        loaded = self._loaded(detector)
        return self._run(lambda: loaded.answer(image, loaded.encode_text(asked)), urgency)

    def engine(self, detector: str) -> tuple[str, str]:
        """Return the engine and the precision that a detector runs in."""
        usable = detectors.engines(models.find_detector(detector).network, self._device)
        return (self._engine if self._engine in usable else usable[0]), "float32"

    def weights_sha256(self, detector: str) -> str:
        """Return the SHA-256 of a detector's weights."""
        return digests.of_weights(models.find_detector(detector).weights)

    def fingerprint(self, detector: str) -> str:
        """Return an empty text: features stay in this process, and it loads each detector once."""
        return ""

    def warm_up(self, detector: str) -> None:
        """Load a detector and run it once, so that no job waits for its preparation.

        The image is a landscape of 4:3, so the first upright or longer image still prepares the canvas of its shape.
        """
        image, _ = self.encode(detector, np.zeros((600, 800, 3), np.uint8))
        self.search(detector, image, ["a"])

    def _run(self, call: Callable[[], Result], urgency: Urgency) -> tuple[Result, float]:
        def run(calls: Sequence[Callable[[], Result]]) -> list[Result]:
            return [each() for each in calls]

        result, milliseconds = self._thread(BatchKey("detector", run), call, urgency=urgency).result()
        return result, round(milliseconds, 2)

    def _loaded(self, name: str) -> Detector:
        if name not in self._detectors:
            self._run(partial(self._load, name), Urgency.NORMAL)
        return self._detectors[name]

    def _load(self, name: str) -> None:
        if name not in self._detectors:  # another call may have loaded the detector while this one waited
            engine, _ = self.engine(name)
            self._detectors[name] = self._open(name, None, self._device, engine)
            log.info("detector %s runs on %s (%s, float32)", name, self._device, engine)
