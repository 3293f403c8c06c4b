"""The description of a detector."""

from __future__ import annotations

from dataclasses import dataclass

from ovseg_core.detectors import PADDLE_INFERENCE
from ovseg_core.models.published import Published
from ovseg_core.paddle_inference.folder import INDEX_FILE


@dataclass(frozen=True)
class DetectorSpec(Published):
    """A detector: weights for a network of `detectors.DETECTORS`, or a folder for Paddle Inference."""

    @property
    def index_file(self) -> str | None:
        return INDEX_FILE if self.network == PADDLE_INFERENCE else None
