"""Part of `make bench`: everything mode in ovseg, in segment-anything and in transformers, with the same weights.

The weights of SAM-B are random. They determine how long the networks take; but random masks are noise, which no filter
passes. So the answers of each decoder are replaced, after it ran, by masks that look like objects: what is as bright as
the click, around it. All three get the same, with the same options, and must find the same masks. CPU seconds (of all
cores) and seconds, of the fastest of the runs, which take turns. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks import facts, random_weights
from ovseg import demo
from ovseg_core import AutomaticMaskGenerator, image, models
from ovseg_core.candidates import Candidates
from ovseg_core.checkpoints.renaming import renamed
from ovseg_core.network import DecodeBatch, Features, Network, PromptBatch, image_by_image
from ovseg_core.sam import hugging_face
from ovseg_core.segmenter import Segmenter
from tests.support import clicks, originals

OPTIONS: dict[str, Any] = {"points_per_batch": 64, "pred_iou_thresh": 0.9, "stability_score_thresh": 0.75}
# Of each generator, what measures its encoder alone. That of transformers runs on torch, as segment-anything's does.
ENCODERS = {"ovseg": "ovseg, encoder", "segment-anything": "torch, encoder", "transformers": "torch, encoder"}
Run = Callable[[], Sequence[object]]  # returns the masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points-per-side", type=int, default=16)
    parser.add_argument("--image-hw", type=int, nargs=2, default=(1000, 1500))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/everything.json"))
    arguments = parser.parse_args()
    photo = cv2.resize(image.decode(demo.PHOTO.read_bytes(), 10**8), arguments.image_hw[::-1])
    with TemporaryDirectory() as folder:
        os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
        runs = contestants(photo, arguments.points_per_side, Path(folder))
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        found: dict[str, int] = {}
        for _ in tqdm(range(arguments.repeats)):
            for name, run in runs.items():
                cpu, start = time.process_time(), time.perf_counter()
                found[name] = len(run())
                taken[name].append((time.process_time() - cpu, time.perf_counter() - start))
    assert len({found[name] for name in ENCODERS}) == 1, found
    cpu_s = {name: min(cpu for cpu, _ in those) for name, those in taken.items()}
    rows = [
        {
            "by": name,
            "masks": found[name],
            "cpu_s": cpu_s[name],
            "encoder_cpu_s": cpu_s[encoder],
            "s": min(seconds for _, seconds in taken[name]),
        }
        for name, encoder in ENCODERS.items()
    ]
    result = {"machine": facts.machine(), "image_hw": arguments.image_hw, "points": arguments.points_per_side**2}
    arguments.to.write_text(json.dumps({**result, "rows": rows}, indent=1))
    for row in rows:
        print(row)


def contestants(photo: np.ndarray, points_per_side: int, folder: Path) -> dict[str, Run]:
    """Return what is measured, by name: each generator, and each encoder alone."""
    import torch

    with originals.importable():
        import segment_anything
    torch.manual_seed(0)
    theirs = segment_anything.sam_model_registry["vit_b"]().eval()
    with torch.no_grad():
        for weights in theirs.parameters():
            weights.copy_(torch.from_numpy(random_weights.drawn(weights.numpy())))
    path = folder / "weights.pth"
    torch.save(theirs.state_dict(), path)
    segmenter = Segmenter.of(replace(models.find("SAM-B"), weights=path), "cpu", "auto", "float32")
    list(segmenter.everything(photo, points_per_side=4))  # an engine translates and compiles when it first runs
    cells = clicks.brightness(segmenter.canvas(photo)[0])
    pipeline = of_transformers(theirs.state_dict(), cells, points_per_side)
    ours = AutomaticMaskGenerator(
        Segmenter(segmenter.spec, Drawing(segmenter.network, cells), segmenter.engine),
        points_per_side=points_per_side,
        **OPTIONS,
    )
    generator = segment_anything.SamAutomaticMaskGenerator(theirs, points_per_side=points_per_side, **OPTIONS)
    draw_answers(theirs.mask_decoder, theirs.prompt_encoder, cells, lambda given: given["points"][0][:, 0])
    picture = Image.fromarray(photo)
    return {
        "ovseg": lambda: ours.generate(photo),
        "segment-anything": lambda: generator.generate(photo),
        "transformers": lambda: pipeline(picture),
        "ovseg, encoder": lambda: [segmenter.encode(photo)],
        "torch, encoder": lambda: [generator.predictor.set_image(photo)],
    }


def of_transformers(metas: dict[str, Any], cells: np.ndarray, points_per_side: int) -> Callable[[Any], list[object]]:
    """Return transformers' `mask-generation` pipeline with the weights of Meta's SAM-B."""
    import transformers
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    model = transformers.SamModel(transformers.SamConfig()).eval()
    new_names = {name: list(renamed({name: np.empty(0)}, hugging_face.RULES)) for name in model.state_dict()}
    model.load_state_dict({name: metas[new[0]] for name, new in new_names.items() if new}, strict=False)
    draw_answers(model.mask_decoder, model.prompt_encoder, cells, lambda given: given["input_points"][0, :, 0])
    processor = SamImageProcessorPil()
    with_torchvision = type(processor).post_process_for_mask_generation
    processor.post_process_for_mask_generation = with_torchvision.__wrapped__.__get__(processor)
    pipeline = transformers.pipeline("mask-generation", model=model, image_processor=processor)

    def run(picture: Any) -> list[object]:
        with originals.importable():
            masks: list[object] = pipeline(picture, points_per_crop=points_per_side, **OPTIONS)["masks"]
        return masks

    return run


class Drawing:
    """Our network; its answers are replaced."""

    def __init__(self, network: Network, cells: np.ndarray) -> None:
        self.canvas_size, self.encode = network.canvas_size, network.encode
        self._network, self._cells = network, cells

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        answer = self._network.decode(features, prompts, multimask_output)
        assert prompts.points is not None
        logits, iou = clicks.answer(self._cells, prompts.points[:, 0])
        assert answer.logits.shape == logits.shape
        return Candidates(logits, answer.regions, iou)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        return image_by_image(self, batch, multimask_output)


def draw_answers(decoder: Any, prompt_encoder: Any, cells: np.ndarray, points_of: Callable[[Any], Any]) -> None:
    """Replace the answers of a decoder on torch. `points_of` gets the clicks (N, 2) from the prompt encoder's input."""
    import torch

    clicked: list[np.ndarray] = []

    def note(_: object, __: object, given: Any) -> None:
        clicked[:] = [points_of(given).float().numpy()]

    def drawn(_: object, __: object, answer: Any) -> Any:
        return tuple(
            torch.from_numpy(array).reshape(of_network.shape)
            for array, of_network in zip(clicks.answer(cells, clicked[0]), answer, strict=True)
        )

    prompt_encoder.register_forward_pre_hook(note, with_kwargs=True)
    decoder.register_forward_hook(drawn)


if __name__ == "__main__":
    main()
