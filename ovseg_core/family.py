"""What a row of the table of model families contains: everything that differs between the networks.

Processes that run no network read the rows too. Therefore this module and the rows import neither NumPy nor an engine:
the functions of a row import what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ovseg_core.array_shapes import Shapes
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.prompts import KINDS

if TYPE_CHECKING:
    import numpy as np
    import openvino as ov

    from ovseg_core.canvas import PerChannel, Resize
    from ovseg_core.network import Features, Network

EVERYTHING = "everything"  # the mode without prompts
ALL_KINDS = frozenset({*KINDS, EVERYTHING})


@dataclass(frozen=True)
class Preset:
    """How images become the network's input, and how its logits become masks.

    Attributes:
        mean: of each channel, on the scale 0 to 255; a pixel v is normalised to (v - mean) / std.
        std: of each channel, likewise.
        resize: how an image is resized to the canvas, see `canvas.draw`.
        canvas_size: side of the canvas in pixels. The folder of a PaddleX inference model may specify another one.
        input_size: side of the network's input in pixels if it is smaller than the canvas, to which prompts and masks
            refer; None if it is the canvas.
        prompts_per_batch: maximum number of prompts in one run of the decoder. It bounds memory; on a CPU larger
            batches are not faster.
        box_mask_threshold: a pixel belongs to the mask of a prompt with a box if its logit exceeds this.
        point_mask_threshold: the same for prompts without a box.
        clip_to_box: True if a mask is cut off at the box of its prompt.
        max_hole_share: holes of at most this share of the mask's area are filled, except in masks of prompts with a
            click of label 0. 0 fills none.
        by_region: True if the logits of each mask cover a region around its object, and not the whole canvas.
        mask_input_stride: side of a cell of a mask that is a prompt, in canvas pixels.
        everything: the default options of everything mode.
        everything_refines: True if everything mode lets the network compute each mask a second time, from the first
            mask and its click (`PromptBatch.drafts`). Its logits must be `by_region`.
        everything_ranks_by_stability: True if everything mode orders masks by predicted IoU times stability score,
            instead of predicted IoU.
    """

    mean: PerChannel
    std: PerChannel
    resize: Resize = "area"
    canvas_size: int = 1024
    input_size: int | None = None
    prompts_per_batch: int = 16
    box_mask_threshold: float = 0.0
    point_mask_threshold: float = 0.0
    clip_to_box: bool = False
    max_hole_share: float = 0.0
    by_region: bool = False
    mask_input_stride: int = 4
    everything: EverythingOptions = field(default_factory=EverythingOptions)
    everything_refines: bool = False
    everything_ranks_by_stability: bool = False

    @property
    def via_canvas(self) -> bool:
        """True if logits are resized first to the canvas and then to the image, as SAM does.

        The canvas is cut off between the two steps where the image ends on it. A stretched image fills the canvas, so
        SAM 2 has only one step.
        """
        return not self.by_region and self.resize != "stretch"


class Load(Protocol):
    def __call__(self, name: str, weights: Path, device: str, engine: str, precision: str) -> Network: ...


@dataclass(frozen=True)
class Quantization:
    """How `quantization` makes an int8 image encoder.

    `encoder_graph(name, weights)` returns the encoder in OpenVINO, in float32: canvases (B, 3, S, S) to
    features. Its first `float32_convolutions` stay in float32, because errors of the first layers affect all layers
    after them. `smooths_convolutions` is for convolutions whose channels have very different ranges.
    """

    encoder_graph: Callable[[str, Path], ov.Model]
    float32_convolutions: int = 1
    is_transformer: bool = False
    smooths_convolutions: bool = False


def with_channels_last(features: Features) -> np.ndarray:
    """Return the first of a network's arrays of features (h, w, C) as (C, h, w)."""
    return features[0].transpose(2, 0, 1)


@dataclass(frozen=True)
class Family:
    """One row of `networks.NETWORKS`.

    `load` returns the network of a name with its weights, ready for inference; `networks.load` describes its arguments
    and what it raises. Fingerprints of embeddings and of translated networks cover the module that defines `load` and
    all modules that it imports. `network_of` returns the name of the family's network that has arrays of these names
    and shapes, or None.
    """

    preset: Preset
    load: Load
    engines: tuple[str, ...] = ("paddle",)  # that can run the network, the fastest on a CPU first
    half_precisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of the encoder on a GPU, by engine
    quantization: Quantization | None = None  # None if the network cannot be quantized
    is_exportable: bool = False  # a SAM, which `paddle_inference.export` can write as an inference model of PaddleX
    # Writes ONNX files that run without this library, from weights to a folder; None if there is no such export
    export_onnx: Callable[[Path, Path], None] | None = None
    index_file: str | None = None  # if the weights are a folder: the file that every such folder contains
    takes: frozenset[str] = ALL_KINDS  # the kinds of prompts that the network can take
    # The image embedding (C, h, w) among the network's features; None if it has none
    image_embedding: Callable[[Features], np.ndarray] | None = with_channels_last
    takes_with: Callable[[Path], frozenset[str]] | None = None  # those it can take with these weights, if not `takes`
    network_of: Callable[[Shapes], str | None] | None = None
