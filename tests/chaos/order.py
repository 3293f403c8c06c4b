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
from worker.job.request import PRIORITIES, Priority

HEIGHT, WIDTH = 90, 120
CLICKED = 4  # pixels: the side of the mask that a click finds
TENANTS = ("default", "acme")
EVENTS = ("job.started", "job.succeeded")


@dataclass(frozen=True)
class Order:
    """Job number n, with its tenant, its priority, and its own colour of the image.

    It has its own box or, in everything mode, its own clicks.
    """

    n: int

    @property
    def key(self) -> str:
        """The job's Idempotency-Key."""
        return f"chaos-{self.n}"

    @property
    def tenant(self) -> str:
        """The tenant that submits it."""
        return TENANTS[self.n // 2 % 2]

    @property
    def priority(self) -> Priority:
        return PRIORITIES[self.n % 3]

    @property
    def box(self) -> tuple[int, int, int, int]:
        x0, y0 = self.n % 53, self.n // 53 % 41
        return x0, y0, x0 + 5 + self.n % 47, y0 + 4 + self.n % 37

    @property
    def is_everything(self) -> bool:
        return self.n % 8 == 3 and not self.has_png

    @property
    def has_png(self) -> bool:
        return self.n % 5 == 0

    @property
    def has_upload(self) -> bool:
        """Whether its image is uploaded first, and not sent with the request."""
        return self.n % 6 == 1

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """The boxes of its masks. In everything mode there are three or fewer, also none."""
        if not self.is_everything:
            return [self.box]
        x0, y0, *_ = self.box
        return [(x0 + i, y0, x0 + i + CLICKED, y0 + CLICKED) for i in range(self.n // 8 % 4)]

    @property
    def prompts(self) -> Any:
        """The prompts of its request."""
        if not self.is_everything:
            return [{"box": list(self.box)}]
        return {"everything": {"point_grids": [[[x0 / WIDTH, y0 / HEIGHT] for x0, y0, *_ in self.boxes]]}}

    @property
    def red(self) -> int:
        return self.n * 7 % 256

    @property
    def image(self) -> bytes:
        """The file of its image, a PNG."""
        return pictures.encoded(Image.new("RGB", (WIDTH, HEIGHT), (self.red, 0, 0)), "PNG")

    def body(self, webhook_url: str, upload_id: str | None = None) -> dict[str, Any]:
        """Return its request, which names an upload or contains the image."""
        return {
            "image": {"upload": upload_id} if upload_id else base64.b64encode(self.image).decode(),
            "prompts": self.prompts,
            "outputs": ["rle", "png"] if self.has_png else ["rle"],
            "priority": self.priority,
            "metadata": {"n": self.n},
            "webhook": {"url": webhook_url, "events": list(EVENTS)},
        }

    def is_answered_by(self, result: Any) -> bool:
        """True if a result is this job's: masks that fill its boxes, a score that is its colour."""
        try:
            pixels = [
                coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()}) for mask in result["masks"]
            ]
            found = [(info["box"], info["area"], info["score"]) for info in result["maskInfos"]]
        except (KeyError, TypeError, ValueError):
            return False
        masks = [_filled(box) for box in self.boxes]
        score = round(self.red / 255, 4)
        expected = [(list(box), int(mask.sum()), score) for box, mask in zip(self.boxes, masks, strict=True)]
        return found == expected and all(map(np.array_equal, pixels, masks))

    def is_answered_by_document(self, document: bytes | None, job_id: str) -> bool:
        """True if a `result.json` is this job's."""
        if document is None:
            return False
        answer = json.loads(document)
        return bool(answer["logId"] == job_id) and self.is_answered_by(answer["result"])

    @property
    def mask(self) -> np.ndarray:  # H, W
        return _filled(self.box)


def _filled(box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box
    frame = np.zeros((HEIGHT, WIDTH), np.uint8)
    frame[y0:y1, x0:x1] = 1
    return frame
