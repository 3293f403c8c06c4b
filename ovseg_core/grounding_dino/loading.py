"""Load a detector: its parts on an engine, for the canvases that images need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

from ovseg_core import checkpoints
from ovseg_core.engines import runners
from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino import checkpoint
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.in_parts import DetectorInParts
from ovseg_core.grounding_dino.parts import ImageParts, TextParts
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.grounding_dino.shape import Shape

# Sizes of canvases that are kept ready. With OpenVINO, a second one adds 1.4 GB, and takes 5 s of CPU time to prepare.
READY_CANVASES = 2


def detector(
    name: str,
    shape: Shape,
    weights: Path,
    device: str,
    engine: str,
    sizes: Placement | None = None,
    precision: str = "float32",
) -> Detector:
    """Return a detector; see `detectors.load`.

    `name` distinguishes its translations in the cache. The first image of each size of canvas translates and prepares
    the parts for it. Only the image encoder runs in `precision`. The other parts run in float32: they compute where
    attention looks, and the boxes, and bfloat16 has only three digits.
    """

    @lru_cache(READY_CANVASES)
    def image_runners(canvas_hw: tuple[int, int]) -> Mapping[str, Runner]:
        sized = f"{name}-{canvas_hw[0]}x{canvas_hw[1]}"
        on = partial(runners.on, engine, sized, weights, lambda _: image_parts(shape, weights, canvas_hw), device)
        run = on("float32")
        return run if precision == "float32" else run | {"encode": on(precision)["encode"]}

    text = runners.on(engine, f"{name}-text", weights, lambda _: text_parts(shape, weights), device, "float32")
    return DetectorInParts(shape, text["text"], image_runners, sizes or Placement())


def image_parts(shape: Shape, weights: Path, canvas_hw: tuple[int, int]) -> ImageParts:
    """Load the layers that see an image, for canvases of this height and width, on Paddle's current device.

    Raises ValueError if the weights do not fit the network.
    """
    parts = ImageParts(shape, canvas_hw)
    parts.eval()
    checkpoints.fill(parts, checkpoint.image(checkpoint.read(weights, shape)))
    return parts


def text_parts(shape: Shape, weights: Path) -> TextParts:
    """Load the layers that encode phrases; see `image_parts`."""
    parts = TextParts(shape)
    parts.eval()
    checkpoints.fill(parts, checkpoint.text(checkpoint.read(weights, shape)))
    return parts
