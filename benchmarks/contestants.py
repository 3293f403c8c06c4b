"""Who takes part in benchmarks/peers.py: ovseg on its engines, PaddleX, the authors' code, transformers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import random_weights
from ovseg import demo
from ovseg_core import models, networks, quantization
from ovseg_core.engines import in_openvino
from ovseg_core.models import ModelSpec
from ovseg_core.network import PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

SAM2_SIZES = {"SAM2.1-T": "t", "SAM2.1-S": "s", "SAM2.1-B+": "b+", "SAM2.1-L": "l"}
VARIANTS = {"SAM-B": "vit_b", "SAM-L": "vit_l", "SAM-H": "vit_h", "MobileSAM": "vit_t"}
BOXES = np.array([[60 + 4 * i, 40 + 2 * i, 260 + 4 * i, 300 + 2 * i] for i in range(64)], np.float64)


class Contestant(NamedTuple):
    """One implementation to measure.

    `first` encodes the image and decodes one box. `all_boxes` decodes 64 boxes; if `sees_it_again`, it encodes the
    image again. `parts` are the network alone: its encoder, and its decoder of one box and of 64 boxes.
    """

    name: str
    first: Callable[[], object]
    all_boxes: Callable[[], object]
    sees_it_again: bool = False
    parts: Mapping[str, Callable[[], object]] = {}


def contestants(name: str, photo: np.ndarray, engines: list[str], folder: Path) -> Iterator[Contestant]:
    if name in VARIANTS:
        yield from of_sam(name, photo, engines, folder)
    elif name in SAM2_SIZES:
        yield from of_sam2(name, photo, engines, folder)
    else:
        yield from on_engines(models.find(name), photo, [*engines, "paddle"])


def of_sam(name: str, photo: np.ndarray, engines: list[str], folder: Path) -> Iterator[Contestant]:
    import torch

    from tests.support import originals

    with originals.importable():
        if name == "MobileSAM":
            import mobile_sam as package
        else:
            import segment_anything as package
    torch.manual_seed(0)
    theirs = package.sam_model_registry[VARIANTS[name]]().eval()
    with torch.no_grad():
        for weights in theirs.parameters():
            weights.copy_(torch.from_numpy(random_weights.drawn(weights.numpy())))
    path = folder / "weights.pth"
    torch.save(theirs.state_dict(), path)
    spec = replace(models.find(name), weights=path)

    if "openvino int8" in engines:
        quantization.make(Segmenter.of(spec, "cpu", "openvino", "float32"), path, [demo.PHOTO] * 2)
    yield from on_engines(spec, photo, engines)
    yield paddlex(spec.network, path, photo, folder / "inference")
    for precision in in_openvino.precisions():
        yield predictor(package, theirs, photo, precision)
    if name == "SAM-B":
        yield transformers(photo)


def of_sam2(name: str, photo: np.ndarray, engines: list[str], folder: Path) -> Iterator[Contestant]:
    import torch
    from sam2.build_sam import build_sam2

    torch.manual_seed(0)
    theirs = build_sam2(f"configs/sam2.1/sam2.1_hiera_{SAM2_SIZES[name]}.yaml", device="cpu")
    with torch.no_grad():
        for weights in theirs.parameters():
            weights.copy_(torch.from_numpy(random_weights.drawn(weights.numpy())))
    path = folder / "weights.pt"
    torch.save({"model": theirs.state_dict()}, path)
    spec = replace(models.find(name), weights=path)
    yield from on_engines(spec, photo, engines)
    for precision in in_openvino.precisions():
        yield predictor_of_sam2(theirs, photo, precision)
    if name == "SAM2.1-T":
        yield transformers_sam2(photo)


def on_engines(spec: ModelSpec, photo: np.ndarray, engines: list[str]) -> Iterator[Contestant]:
    """Yield the engines that can run the model."""
    for choice in engines:
        engine, _, precision = choice.partition(" ")
        if engine in networks.engines(spec.network, "cpu"):
            yield ours(Segmenter.of(spec, "cpu", engine, precision or "float32"), photo)


def ours(segmenter: Segmenter, photo: np.ndarray) -> Contestant:
    label = f"ovseg, {segmenter.engine}" + f" {segmenter.precision}" * (segmenter.precision != "float32")
    prompts = [Prompt.of_box(*box) for box in BOXES]
    embedding, canvas = segmenter.encode(photo), segmenter.canvas(photo)
    network, at_once = segmenter.network, segmenter.spec.preset.prompts_per_batch
    boxes = (BOXES * np.tile(embedding.frame.scale_xy, 2)).astype(np.float32)

    def decode(count: int) -> None:
        for start in range(0, count, at_once):
            network.decode(embedding.features, PromptBatch(boxes[start : start + at_once][:count]))

    parts = {
        "encoder": lambda: network.encode(canvas),
        "box": lambda: decode(1),
        "box_of_64": lambda: decode(len(BOXES)),
    }
    return Contestant(
        label,
        lambda: segmenter.decode(segmenter.encode(photo), prompts[:1]),
        lambda: segmenter.decode(embedding, prompts),
        parts=parts
        if segmenter.engine == "openvino"
        else {},  # they take a minute on each engine, and one shows enough
    )


def paddlex(network: str, weights: Path, photo: np.ndarray, folder: Path) -> Contestant:
    os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    from paddlex import create_model

    from ovseg_core.paddle_inference import export
    from ovseg_core.sam.family import load_parts

    export.export(load_parts(network, weights), "box", folder)
    model = create_model("SAM-H_box", model_dir=str(folder), device="cpu")

    def predict(count: int) -> None:
        list(model.predict(photo[..., ::-1].copy(), prompts={"box_prompt": BOXES[:count].tolist()}))

    return Contestant("PaddleX 3.7.2", lambda: predict(1), lambda: predict(len(BOXES)), sees_it_again=True)


def predictor(package: Any, theirs: Any, photo: np.ndarray, precision: str) -> Contestant:
    import torch

    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    known = package.SamPredictor(theirs)
    boxes = known.transform.apply_boxes_torch(torch.from_numpy(BOXES), photo.shape[:2])

    def answer(count: int) -> None:
        for some in boxes[:count].split(16):
            known.predict_torch(None, None, boxes=some.float(), multimask_output=False)

    def first() -> None:
        with autocast:
            known.set_image(photo)
            answer(1)

    def all_boxes() -> None:
        with autocast:
            answer(len(BOXES))

    label = f"{package.__name__}, torch" + " bfloat16" * (precision == "bfloat16")
    return Contestant(label, first, all_boxes)


def predictor_of_sam2(theirs: Any, photo: np.ndarray, precision: str) -> Contestant:
    import torch
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    known = SAM2ImagePredictor(theirs)
    pixels = known._transforms(photo)[None]

    def in_precision(call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                call()

        return run

    def answer(count: int) -> None:
        for start in range(0, count, 16):
            known.predict(box=BOXES[start : start + 16][:count], multimask_output=False)

    def first() -> None:
        known.set_image(photo)
        answer(1)

    return Contestant(
        "sam2, torch" + " bfloat16" * (precision == "bfloat16"),
        in_precision(first),
        in_precision(lambda: answer(len(BOXES))),
        parts={"encoder": in_precision(lambda: theirs.forward_image(pixels))},
    )


def transformers_sam2(photo: np.ndarray) -> Contestant:
    import torch
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

    model, processor = Sam2Model(Sam2Config()).eval(), Sam2ImageProcessor()
    known: list[Any] = []

    def see() -> None:
        with torch.no_grad():
            known[:] = [model.get_image_embeddings(processor(photo, return_tensors="pt")["pixel_values"])]

    def answer(count: int) -> None:
        with torch.no_grad():
            for some in torch.from_numpy(BOXES[:count]).float().split(16):
                model(image_embeddings=known[0], input_boxes=some[None], multimask_output=False)

    def first() -> None:
        see()
        answer(1)

    return Contestant("transformers, torch", first, lambda: answer(len(BOXES)), parts={"encoder": see})


def transformers(photo: np.ndarray) -> Contestant:
    import torch
    from transformers import SamConfig, SamImageProcessor, SamModel

    model, processor = SamModel(SamConfig()).eval(), SamImageProcessor()
    known: list[Any] = []

    def see() -> None:
        pixels = processor(photo, return_tensors="pt")["pixel_values"]
        known[:] = [model.get_image_embeddings(pixels)]

    def answer(count: int) -> None:
        for some in torch.from_numpy(BOXES[:count]).float().split(16):
            model(image_embeddings=known[0], input_boxes=some[None], multimask_output=False)

    def first() -> None:
        with torch.no_grad():
            see()
            answer(1)

    def all_boxes() -> None:
        with torch.no_grad():
            answer(len(BOXES))

    return Contestant("transformers, torch", first, all_boxes)
