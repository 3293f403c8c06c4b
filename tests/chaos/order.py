"""The jobs of a run: the request of job number n, and its only correct result."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco

from tests.support import pictures

HEIGHT, WIDTH = 90, 120
EVENTS = ("job.started", "job.succeeded")


@dataclass(frozen=True)
class Order:
    """Job number n, with its own colour of the image and its own box."""

    n: int

    @property
    def key(self) -> str:
        """The job's Idempotency-Key."""
        return f"chaos-{self.n}"

    @property
    def box(self) -> tuple[int, int, int, int]:
        x0, y0 = self.n % 53, self.n // 53 % 41
        return x0, y0, x0 + 5 + self.n % 47, y0 + 4 + self.n % 37

    @property
    def red(self) -> int:
        return self.n * 7 % 256

    def body(self, webhook_url: str) -> dict[str, Any]:
        image = pictures.encoded(Image.new("RGB", (WIDTH, HEIGHT), (self.red, 0, 0)), "PNG")
        return {
            "image": base64.b64encode(image).decode(),
            "prompts": [{"box": list(self.box)}],
            "outputs": ["rle", "png"] if self.n % 5 == 0 else ["rle"],
            "metadata": {"n": self.n},
            "webhook": {"url": webhook_url, "events": list(EVENTS)},
        }

    def is_answered_by(self, result: Any) -> bool:
        """True if a result is this job's: a mask that fills its box, a score that is its colour."""
        try:
            [info], [mask] = result["maskInfos"], result["masks"]
            pixels = coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()})
        except (KeyError, TypeError, ValueError):
            return False
        found = (info["box"], info["area"], info["score"])
        return found == (list(self.box), self._area, round(self.red / 255, 4)) and bool((pixels == self.mask).all())

    def is_answered_by_document(self, document: bytes | None, job_id: str) -> bool:
        """True if a `result.json` is this job's."""
        if document is None:
            return False
        answer = json.loads(document)
        return bool(answer["logId"] == job_id) and self.is_answered_by(answer["result"])

    @property
    def mask(self) -> np.ndarray:  # H, W
        x0, y0, x1, y1 = self.box
        frame = np.zeros((HEIGHT, WIDTH), np.uint8)
        frame[y0:y1, x0:x1] = 1
        return frame

    @property
    def _area(self) -> int:
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)
