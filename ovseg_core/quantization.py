"""Image encoders to int8 by post-training quantisation (Nagel et al., 2021, arXiv:2106.08295), with NNCF.

NNCF learns from photos which values each layer meets. Other photos judge the result: if its masks differ too much from
those in float32, it is not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pycocotools import mask as coco

from ovseg_core import header, image
from ovseg_core.embedding import Embedding
from ovseg_core.engines import int8
from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask, centre_of
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

SHOWN, JUDGING = 60, 20  # photos at most; of fewer photos, too, a quarter judges
LEAST_PHOTOS = 8
LEAST_IOU = 0.98  # of masks of boxes, on average, in int8 and in float32
GRID = 4  # clicks along each side of a photo look for what to judge by


@dataclass(frozen=True)
class Agreement:
    """Mean IoU of masks in int8 and in float32. A click is ambiguous, and a near tie may fall either way."""

    boxes: float
    clicks: float
    photos: int


def quantize(spec: ModelSpec, photos: Sequence[Path]) -> Agreement:
    """Make the int8 encoder of a model and put it next to its weights. This takes as long as some hundred encodings.

    Raises ValueError for a model that cannot be quantized, for too few photos, on a CPU without VNNI, and where masks
    would change too much; OvsegError for a photo that cannot be read; ImportError without NNCF.
    """
    if spec.family.quantization is None:
        other = f"; {spec.falls_to} can be" if spec.falls_to else ""
        raise ValueError(f"{spec.name} has no image encoder apart, so it cannot be quantized{other}")
    if len(photos) < LEAST_PHOTOS:
        raise ValueError(f"{len(photos)} photos are too few; {LEAST_PHOTOS} are enough, {SHOWN + JUDGING} are better")
    if not int8.is_supported():
        raise ValueError("this CPU multiplies no bytes (VNNI), so int8 could not be judged here, nor be of use")
    chosen = photos[:: max(1, len(photos) // (SHOWN + JUDGING))][: SHOWN + JUDGING]
    judging = chosen[::4]
    shown = [path for path in chosen if path not in judging]
    reference = Segmenter.of(spec, "cpu", "openvino")
    with TemporaryDirectory(prefix=".int8-", dir=spec.weights.parent) as folder:
        weights = Path(folder) / spec.weights.name
        weights.symlink_to(spec.weights.resolve())
        make(reference, weights, shown)
        in_int8 = Segmenter.of(replace(spec, weights=weights), "cpu", "openvino", "int8")
        agreement = _agreement(reference, in_int8, judging)
        if agreement.boxes < LEAST_IOU:
            raise ValueError(
                f"in int8 {spec.name}'s masks of boxes have an IoU of {agreement.boxes:.3f} with those in float32, and "
                f"of clicks {agreement.clicks:.3f}; {LEAST_IOU} is the least, and nothing was kept"
            )
        int8.move(weights, spec.weights)
    return agreement


def make(reference: Segmenter, weights: Path, shown: Sequence[Path]) -> None:
    """Make the int8 encoder of these weights from photos and put it next to them, without judging it."""
    import nncf  # seconds, and hundreds of megabytes

    spec = reference.spec
    how = spec.family.quantization
    assert how is not None
    graph = how.encoder_graph(spec.network, weights)
    convolutions = [node for node in graph.get_ordered_ops() if node.get_type_name().endswith("Convolution")]
    kept = [node.get_friendly_name() for node in convolutions[: how.float32_convolutions]]
    quantized = nncf.quantize(
        graph,
        nncf.Dataset(shown, lambda path: reference.canvas(_read(path))),
        # Symmetric: a zero point costs OpenVINO a pass over what each product answers, a third of MobileSAM's time.
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(shown),
        fast_bias_correction=how.is_transformer,  # the slow way takes minutes a photo there
        model_type=nncf.ModelType.TRANSFORMER if how.is_transformer else None,
        ignored_scope=nncf.IgnoredScope(names=kept),
    )
    int8.save(quantized, weights)


def _agreement(reference: Segmenter, other: Segmenter, photos: Sequence[Path]) -> Agreement:
    by_box: list[float] = []
    by_click: list[float] = []
    for pixels in map(_read, photos):
        embeddings = reference.encode(pixels), other.encode(pixels)
        things = _things(reference, embeddings[0])
        boxes = [Prompt.of_box(*mask.box_xyxy) for mask in things]
        clicks = [Prompt.of_point(*_middle(mask)) for mask in things]
        for prompts, ious in ((boxes, by_box), (clicks, by_click)):
            answers = (s.decode(e, prompts) for s, e in zip((reference, other), embeddings, strict=True))
            ious += [_iou(*pair) for pair in zip(*answers, strict=True)]
    if not by_box:
        raise ValueError("nothing was found in the photos to judge by")
    return Agreement(float(np.mean(by_box)), float(np.mean(by_click)), len(photos))


def _things(segmenter: Segmenter, embedding: Embedding) -> list[Mask]:
    """The things that clicks on a grid find, each once, without specks."""
    height, width = embedding.frame.image_hw
    places = (np.arange(GRID) + 0.5) / GRID
    clicks = [Prompt.of_point(float(x * width), float(y * height)) for y in places for x in places]
    found = {mask.box_xyxy: mask for mask in segmenter.decode(embedding, clicks)}
    return [mask for mask in found.values() if mask.area > height * width / 1000]


def _middle(mask: Mask) -> tuple[float, float]:
    x, y = centre_of(mask.crop())
    return mask.box_xyxy[0] + x, mask.box_xyxy[1] + y


def _iou(a: Mask, b: Mask) -> float:
    if not a.area and not b.area:
        return 1.0
    both = ([{"size": list(mask.image_hw), "counts": mask.counts.encode()}] for mask in (a, b))
    return float(coco.iou(*both, [0])[0, 0])


def _read(path: Path) -> np.ndarray:
    try:
        return image.decode(path.read_bytes(), header.MOST_PIXELS)
    except OvsegError as error:
        raise OvsegError(error.code, f"{str(path)!r}: {error.message}", error.field) from None
