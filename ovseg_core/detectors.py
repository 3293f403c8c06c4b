"""The table of detectors by name: networks that find the boxes of phrases in images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import devices, extras, networks

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector

# `grounding_dino.shape.SHAPES` has their sizes.
DETECTORS = ("grounding_dino_t", "mm_grounding_dino_t", "grounding_dino_b")
PADDLE_INFERENCE = "paddlex"  # the network of PaddleX's inference model GroundingDINO-T, whose weights are a folder
ENGINES = ("openvino", "onnxruntime", "paddle")  # on a CPU, Paddle is for tests: its `grid_sample` is slow there


def load(name: str, weights: Path, device: str = "cpu", engine: str = "auto", precision: str = "float32") -> Detector:
    """Load a detector with its weights.

    Args:
        name: one of DETECTORS, or PADDLE_INFERENCE. LLMDet-T is a "mm_grounding_dino_t".
        weights: a file of Hugging Face `transformers` (`model.safetensors`), IDEA (`.pth`) or PaddleMIX (`.pdparams`).
            Or the folder of PaddleX's inference model GroundingDINO-T, for any name.
        device: "cpu", "gpu:0" or another of `devices`.
        engine: one of ENGINES, or "auto" for the fastest that is installed. For a folder, "auto" or "paddle".
        precision: of the image encoder, one of `precisions`; the rest runs in float32.

    Raises:
        ValueError: there is no such detector, the engine or the library that splits phrases is not installed, this
            machine has no such device, the precision cannot be used there, or the weights do not fit.
    """
    if name not in (*DETECTORS, PADDLE_INFERENCE):
        raise ValueError(f"there is no detector {name!r}; available: {', '.join(DETECTORS)}")
    if not networks.is_installed("tokenizers"):
        raise ValueError(f"a detector needs tokenizers; {extras.how_to_install('text')}")
    name = PADDLE_INFERENCE if weights.is_dir() else name
    engine = choose_engine(name, device, engine)
    if precision not in (usable := precisions(engine)):
        raise ValueError(f"a detector on {engine} runs in {' or '.join(usable)}, not in {precision!r}")
    if name == PADDLE_INFERENCE:
        from ovseg_core.paddle_inference.detector import InferenceDetector

        return InferenceDetector(weights, device)
    if engine == "paddle":
        devices.use(device)
    from ovseg_core.grounding_dino import loading
    from ovseg_core.grounding_dino.shape import SHAPES

    return loading.detector(name, SHAPES[name], weights, device, engine, precision=precision)


def engines(name: str, device: str) -> list[str]:
    """Return the engines that a detector can use on a device and that are installed, the fastest first."""
    if name == PADDLE_INFERENCE or device != "cpu":
        return ["paddle"]
    return [engine for engine in ENGINES if networks.is_installed(engine)]


def precisions(engine: str) -> tuple[str, ...]:
    """Return the precisions in which an engine can run the image encoder of a detector on this machine."""
    if engine != "openvino":
        return ("float32",)
    from ovseg_core.engines import in_openvino

    return in_openvino.precisions()


def choose_engine(name: str, device: str, engine: str = "auto") -> str:
    """Return the requested engine, or the fastest that is installed for "auto".

    Raises ValueError if the requested engine does not exist or is not installed, or the detector cannot use it.
    """
    usable = engines(name, device)
    if engine == "auto":
        return usable[0]
    if engine not in usable:
        raise ValueError(f"{name} cannot use the engine {engine!r} on {device}; available: {', '.join(usable)}")
    return engine
