"""A model family as one row: everything that depends on which network a model has.

A row is read by processes that run no network, so importing this and the rows loads neither NumPy nor an engine: a
row's functions import what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.canvas import PerChannel, Resize
    from ovseg_core.network import Network


@dataclass(frozen=True)
class Preset:
    """How images become the network's input, and its answers become masks.

    `canvas_size` is the side of the square input; pixels are normalised as (v - mean) / std. A mask is where logits
    exceed `box_mask_threshold` (a prompt with a box) or `point_mask_threshold`; with `clip_to_box` it ends at the box.
    `by_canvas` says that logits cover the whole canvas and are resized by way of it, as SAM does. `prompts_per_batch`
    are decoded in one go; that bounds memory, and on a CPU larger batches are no faster. Holes of at most
    `holes_filled` of a mask are filled, but not where a click said "not here".
    """

    canvas_size: int
    mean: PerChannel
    std: PerChannel
    resize: Resize = "area"
    by_canvas: bool = False
    prompts_per_batch: int = 16
    box_mask_threshold: float = 0.0
    point_mask_threshold: float = 0.0
    clip_to_box: bool = False
    holes_filled: float = 0.0


class Load(Protocol):
    def __call__(
        self, name: str, weights: Path, device: str, engine: str, precision: str, canvas_size: int
    ) -> Network: ...


@dataclass(frozen=True)
class Quantization:
    """How `quantization` makes an int8 image encoder.

    `encoder_graph(name, weights)` is the encoder in OpenVINO, in float32: canvases (B, 3, S, S) to
    features. Its first `float32_convolutions` stay in float32: errors in what pixels become first are in everything
    after it.
    """

    encoder_graph: Callable[[str, Path], ov.Model]
    float32_convolutions: int = 1
    is_transformer: bool = False


@dataclass(frozen=True)
class Family:
    """One row of `networks.NETWORKS`.

    `load` gives the network of this name with its weights, ready to infer; `networks.load` says what its arguments
    mean and what it raises. The module that defines `load`, with all that it imports, is the code that embeddings and
    translated networks are fingerprinted by.
    """

    preset: Preset
    load: Load
    engines: tuple[str, ...] = ("paddle",)  # that can run it, the fastest on a CPU first
    half_precisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of its encoder on a GPU, by engine
    quantization: Quantization | None = None  # None: it cannot be quantized
    is_exportable: bool = False  # a SAM, which `paddle_inference.export` writes as an inference model of PaddleX's
    index_file: str | None = None  # where the weights are a folder: the file in it that tells one
