"""Quantize image encoders to int8 after training (Nagel et al., 2021, arXiv:2106.08295), with NNCF.

NNCF measures on calibration photos which values occur in each layer. The result is evaluated on other photos: if its
masks differ too much from the masks in float32, it is discarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ovseg_core import header, image, rle
from ovseg_core.embedding import Embedding
from ovseg_core.engines import int8
from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask, centre_of
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

MAX_PHOTOS = 80  # a quarter of the photos is for the evaluation, the others are for calibration
MIN_PHOTOS = 8
MIN_IOU = 0.98  # between masks of boxes in int8 and in float32, on average
GRID = 4  # clicks along each side of a photo, to find the objects for the evaluation


@dataclass(frozen=True)
class Agreement:
    """Mean IoU between masks in int8 and masks in float32, of prompts with a box and of clicks.

    That of clicks is lower: a click is ambiguous, and a tiny difference may decide between two candidates.
    """

    boxes: float
    clicks: float
    photos: int


def quantize(spec: ModelSpec, photos: Sequence[Path]) -> Agreement:
    """Make the int8 encoder of a model and write it next to its weights. This takes as long as some hundred encodings.

    Args:
        spec: an installed model.
        photos: files of at least `MIN_PHOTOS` photos, evenly sampled if they are more than `MAX_PHOTOS`.

    Returns:
        How well the masks agree with those in float32.

    Raises:
        ValueError: the model cannot be quantized, there are too few photos, the CPU has no VNNI, or the masks would
            change too much.
        OvsegError: a photo cannot be read.
        ImportError: NNCF is not installed.
    """
    if spec.family.quantization is None:
        other = f"; {spec.falls_to} can be" if spec.falls_to else ""
        raise ValueError(f"{spec.name} has no separate image encoder, so it cannot be quantized{other}")
    if len(photos) < MIN_PHOTOS:
        raise ValueError(f"{len(photos)} photos are too few; {MIN_PHOTOS} are enough, {MAX_PHOTOS} are better")
    if not int8.is_supported():
        raise ValueError("this CPU cannot multiply bytes (VNNI), so int8 cannot be evaluated here and has no use here")
    sampled = photos[:: max(1, len(photos) // MAX_PHOTOS)][:MAX_PHOTOS]
    evaluation = sampled[::4]
    calibration = [path for path in sampled if path not in evaluation]
    reference = Segmenter.of(spec, "cpu", "openvino")
    with TemporaryDirectory(prefix=".int8-", dir=spec.weights.parent) as folder:
        weights = Path(folder) / spec.weights.name
        weights.symlink_to(spec.weights.resolve())
        make(reference, weights, calibration)
        in_int8 = Segmenter.of(replace(spec, weights=weights), "cpu", "openvino", "int8")
        agreement = _agreement(reference, in_int8, evaluation)
        if agreement.boxes < MIN_IOU:
            raise ValueError(
                f"between masks of {spec.name} in int8 and in float32, the IoU is {agreement.boxes:.3f} for boxes and "
                f"{agreement.clicks:.3f} for clicks; for boxes at least {MIN_IOU} is required, so nothing was written"
            )
        int8.move(weights, spec.weights)
    return agreement


def make(reference: Segmenter, weights: Path, calibration: Sequence[Path]) -> None:
    """Make the int8 encoder of these weights from calibration photos and write it next to them. It is not evaluated."""
    import nncf  # here, because it takes seconds and hundreds of megabytes

    spec = reference.spec
    method = spec.family.quantization
    assert method is not None
    graph = method.encoder_graph(spec.network, weights)
    convolutions = [node for node in graph.get_ordered_ops() if node.get_type_name().endswith("Convolution")]
    in_float32 = [node.get_friendly_name() for node in convolutions[: method.float32_convolutions]]
    quantized = nncf.quantize(
        graph,
        nncf.Dataset(calibration, lambda path: reference.canvas(_read(path))),
        # PERFORMANCE is symmetric. A zero point would cost OpenVINO a pass over the result of each product, which is a
        # third of MobileSAM's time.
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(calibration),
        fast_bias_correction=method.is_transformer,  # the slow correction takes minutes per photo for a transformer
        model_type=nncf.ModelType.TRANSFORMER if method.is_transformer or method.smooths_convolutions else None,
        ignored_scope=nncf.IgnoredScope(names=in_float32),
        advanced_parameters=_smoothing() if method.smooths_convolutions else None,
    )
    int8.save(quantized, weights)


def _smoothing() -> Any:
    """Return NNCF's options for convolutions whose channels have very different ranges.

    SmoothQuant (Xiao et al., 2023, arXiv:2211.10438) scales the channels of a convolution's input to similar ranges and
    its weights by the inverse, so that channels with small values keep more of the 256 levels. NNCF has it only for the
    model type of transformers, with which sums stay in float32 too. Ranges include the largest values of all photos:
    NNCF's default, the mean of each photo's largest, cuts values off that the deep layers need.
    """
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, AdvancedSmoothQuantParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    return AdvancedQuantizationParameters(
        smooth_quant_alphas=AdvancedSmoothQuantParameters(convolution=0.5),
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
    )


def _agreement(reference: Segmenter, other: Segmenter, photos: Sequence[Path]) -> Agreement:
    by_box: list[float] = []
    by_click: list[float] = []
    for pixels in map(_read, photos):
        embeddings = reference.encode(pixels), other.encode(pixels)
        objects = _objects(reference, embeddings[0])
        boxes = [Prompt.of_box(*mask.box_xyxy) for mask in objects]
        clicks = [Prompt.of_point(*_middle(mask)) for mask in objects]
        for prompts, ious in ((boxes, by_box), (clicks, by_click)):
            answers = (s.decode(e, prompts) for s, e in zip((reference, other), embeddings, strict=True))
            ious += [rle.iou(a.counts, b.counts, pixels.shape[:2]) for a, b in zip(*answers, strict=True)]
    if not by_box:
        raise ValueError("no objects for the evaluation were found in the photos")
    return Agreement(float(np.mean(by_box)), float(np.mean(by_click)), len(photos))


def _objects(segmenter: Segmenter, embedding: Embedding) -> list[Mask]:
    """Return the objects that clicks on a grid find, without duplicates and tiny masks."""
    height, width = embedding.frame.image_hw
    shares = (np.arange(GRID) + 0.5) / GRID
    clicks = [Prompt.of_point(float(x * width), float(y * height)) for y in shares for x in shares]
    found = {mask.box_xyxy: mask for mask in segmenter.decode(embedding, clicks)}
    return [mask for mask in found.values() if mask.area > height * width / 1000]


def _middle(mask: Mask) -> tuple[float, float]:
    x, y = centre_of(mask.crop())
    return mask.box_xyxy[0] + x, mask.box_xyxy[1] + y


def _read(path: Path) -> np.ndarray:
    try:
        return image.decode(path.read_bytes(), header.MOST_PIXELS)
    except OvsegError as error:
        raise OvsegError(error.code, f"{str(path)!r}: {error.message}", error.field) from None
