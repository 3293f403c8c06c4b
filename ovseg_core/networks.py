"""The networks by name, and their way onto a device, an engine and a precision."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ovseg_core import devices
from ovseg_core.candidates import Candidates

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.sam.parts import SamParts

Features = tuple[np.ndarray, ...]

ENGINES = ("auto", "openvino", "onnxruntime", "paddle")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
SAMS = ("mobile_sam", "sam_b", "sam_l", "sam_h")  # what `sam.parts` has; "sam_lite" and "paddlex" are the others


class Asked(NamedTuple):
    """N prompts of one shape, float32, coordinates in canvas pixels; None for what they have not."""

    boxes: np.ndarray | None = None  # N, 4
    points: np.ndarray | None = None  # N, P, 2
    labels: np.ndarray | None = None  # N, P: 1 on the object, 0 not
    mask_inputs: np.ndarray | None = None  # N, S/4, S/4: logits that SAM answered before

    @property
    def prompts(self) -> int:
        """N."""
        return len(self.points if self.boxes is None else self.boxes)  # type: ignore[arg-type]  # one of them is there

    @classmethod
    def joined(cls, several: Sequence[Asked]) -> Asked:
        """The prompts of several, all of one shape, behind one another."""
        return cls(*(None if field[0] is None else np.concatenate(field) for field in zip(*several, strict=True)))


Together = Sequence[tuple[Features, Asked]]  # prompts of one shape, of one or several images


class Network(Protocol):
    """Encode an image once, decode as many prompts from its features as you like."""

    canvas_size: int

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the features of each, arrays of the network's own shapes."""
        ...

    def decode(self, features: Features, asked: Asked, every: bool = False) -> Candidates:
        """Masks for N prompts of one image: `every` candidate, or at least the best."""
        ...

    def decode_together(self, together: Together, every: bool = False) -> list[Candidates]:
        """As `decode` answers each of them, in as few runs of the network as it can."""
        ...


def by_image(together: Together) -> list[list[int]]:
    """Which of them are of the same image: the places of each image's in the whole."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, (features, _) in enumerate(together):
        places[id(features[0])].append(place)
    return list(places.values())


def image_by_image(network: Network, together: Together, every: bool) -> list[Candidates]:
    """`decode_together` in one run for each image."""
    answers: dict[int, Candidates] = {}
    for places in by_image(together):
        features, asked = together[places[0]][0], [together[place][1] for place in places]
        answer = network.decode(features, Asked.joined(asked), every)
        answers.update(zip(places, answer.split([each.prompts for each in asked]), strict=True))
    return [answers[place] for place in range(len(together))]


def choose_engine(name: str, device: str, engine: str = "auto") -> str:
    """The engine for a network on a device: the first of `engines`, or the one that was asked for.

    Raises ValueError where the engine that was asked for cannot run it.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; available: {', '.join(ENGINES)}")
    able = engines(name, device)
    if engine != "auto" and engine not in able:
        raise ValueError(f"the engine {engine} {_why_not(name, device, engine)}")
    return able[0] if engine == "auto" else engine


def engines(name: str, device: str) -> tuple[str, ...]:
    """What can run a network on a device, with what is installed; on a CPU the fastest first.

    On a GPU Paddle comes first: nobody has measured ONNX Runtime there yet.
    """
    able = ["paddle"]
    if name != "paddlex" and device == "cpu" and is_installed("openvino"):
        able.insert(0, "openvino")
    if name in SAMS and is_installed("onnxruntime"):
        if device == "cpu":
            able.insert(-1, "onnxruntime")
        elif device.startswith("gpu") and _onnxruntime_has_cuda():
            able.append("onnxruntime")
    return tuple(able)


def _onnxruntime_has_cuda() -> bool:
    from ovseg_core.engines import in_onnxruntime  # not for every worker that has it installed

    return in_onnxruntime.has_cuda()


def _why_not(name: str, device: str, engine: str) -> str:
    extra = "onnxruntime-gpu" if engine == "onnxruntime" and device.startswith("gpu") else engine
    install = f"; pip install 'ovseg[{extra}]'"
    if not is_installed(engine):
        return "is not installed" + install
    return f"cannot run {name} on {device}" + install * (name in SAMS and extra != engine)


def is_installed(engine: str) -> bool:
    """Paddle always is, and so is "auto"."""
    return engine in ("auto", "paddle") or importlib.util.find_spec(engine) is not None


def load(name: str, weights: Path, device: str, engine: str, precision: str, canvas_size: int) -> Network:
    """A network with its weights on a device ("cpu", "gpu:0", ...), ready to infer, on an engine of `choose_engine`.

    In "bfloat16" and "float16" the image encoder runs in half precision, in "int8" as `quantization` has made it: there
    nearly all the work is. What reads prompts and draws masks stays in float32; on a CPU all is in bfloat16 but where
    SAM reads points.

    Raises ValueError where the weights do not fit, this machine or this build of Paddle has no such device, or the
    engine has no such precision there.
    """
    precision = choose_precision(name, weights, device, engine, precision)
    if engine == "paddle":
        devices.use(device)
    if name == "paddlex":
        from ovseg_core.sam.whole import WholeSam

        return WholeSam(weights, device)
    if name == "sam_lite":
        if engine == "openvino":
            return _lite_in_openvino(weights, canvas_size, precision)
        return _lite_in_paddle(weights, canvas_size)
    from ovseg_core.sam.network import Sam

    load = partial(sam_parts, name, weights, on_cpu=device == "cpu")
    if engine == "openvino":
        from ovseg_core.engines import in_openvino

        return Sam(in_openvino.runners(name, weights, load, precision), canvas_size)
    if engine == "onnxruntime":
        from ovseg_core.engines import in_onnxruntime

        return Sam(in_onnxruntime.runners(name, weights, load, device, precision), canvas_size)
    from ovseg_core.engines import in_paddle

    return Sam(in_paddle.runners(load(precision=precision)), canvas_size)


def precisions(name: str, weights: Path, device: str, engine: str) -> tuple[str, ...]:
    """What a network with these weights runs in, there."""
    if engine == "openvino":
        from ovseg_core.engines import in_openvino, int8

        floats = in_openvino.precisions()
        return (*floats, "int8") if int8.path(weights).is_file() and int8.is_supported() else floats
    if name not in SAMS or device == "cpu":
        return ("float32",)
    if engine == "onnxruntime":
        return ("float32", "float16")
    return ("float32", "bfloat16", "float16")


def choose_precision(name: str, weights: Path, device: str, engine: str, precision: str = "auto") -> str:
    """The precision that was asked for; "auto" means bfloat16 on a CPU that has it, else float32.

    On CPUs bfloat16 is measured: nearly the same masks in half of the time or less. On GPUs nobody has measured it yet.
    Raises ValueError where the network has no such precision there, or there is none of that name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; available: {', '.join(PRECISIONS)}")
    able = precisions(name, weights, device, engine)
    if precision == "auto":
        return "bfloat16" if device == "cpu" and "bfloat16" in able else "float32"
    if precision not in able:
        message = f"{name} on {device} ({engine}) runs in {' or '.join(able)}, not in {precision}"
        needs = "; int8 needs OpenVINO, a CPU with VNNI, and what `ovseg models quantize` makes"
        raise ValueError(message + needs * (precision == "int8"))
    return precision


def encoder_graph(name: str, weights: Path, canvas_size: int) -> ov.Model:
    """The image encoder in OpenVINO, in float32: canvases (B, 3, S, S) to features."""
    if name == "sam_lite":
        from ovseg_core.lite import openvino_parts

        return openvino_parts.encoder_graph(weights, canvas_size)
    from ovseg_core.engines import in_openvino

    return in_openvino.encoder_graph(name, weights, partial(sam_parts, name, weights, on_cpu=True))


def sam_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> SamParts:
    """A SAM's layers with their weights, on Paddle's current device; `on_cpu` computes the same in an order that suits
    a CPU. Raises ValueError where the weights do not fit."""
    from ovseg_core import checkpoints
    from ovseg_core.sam.parts import VARIANTS
    from ovseg_core.sam.vit import VisionTransformer

    parts = VARIANTS[name]()
    parts.eval()
    checkpoints.load(parts, weights)
    if on_cpu and isinstance(parts.image_encoder, VisionTransformer):
        parts.image_encoder.take_turns()
    parts.image_encoder.to(dtype=precision)
    return parts


def _lite_in_openvino(weights: Path, canvas_size: int, precision: str) -> Network:
    from ovseg_core.lite.network import SamLite
    from ovseg_core.lite.openvino_parts import OpenVinoParts

    return SamLite(OpenVinoParts(weights, canvas_size, precision), canvas_size)


def _lite_in_paddle(weights: Path, canvas_size: int) -> Network:
    from ovseg_core.lite.network import SamLite
    from ovseg_core.lite.paddle_parts import PaddleParts

    return SamLite(PaddleParts.load(weights), canvas_size)
