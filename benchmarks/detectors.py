"""Part of `make bench`: phrases and an image to boxes, in ovseg and in transformers, with the same weights.

The weights of Grounding DINO T are random; they are as fast. transformers runs on torch, in float32, with the image in
its own size; ovseg puts it on one of its canvases. CPU seconds of all cores, of the fastest of the runs, which take
turns. ovseg encodes an image once for any number of lists of phrases; transformers computes everything again for each
list. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks import facts
from ovseg import demo
from ovseg_core import detectors, image
from ovseg_core.grounding_dino import tokenizer
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.shape import SHAPES

NAME = "grounding_dino_t"
PHRASES, OTHERS = ["a cat", "remote control", "dog"], ["space shuttle", "an orange suit"]
# The steps of ovseg, and whether each is part of what a first image and a first list take
STEPS = {"image": True, "phrases": True, "the same phrases": False, "other phrases": False}
WHOLE = "whole"
Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["640x480", "640x427", "480x640"], help="width x height, pixels")
    parser.add_argument("--engines", nargs="+", default=["openvino", "onnxruntime"], help="of ovseg")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/detectors.json"))
    arguments = parser.parse_args()
    photo = image.decode(demo.PHOTO.read_bytes(), 10**8)
    with TemporaryDirectory() as folder:
        os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
        theirs = transformers(Path(folder))
        weights = Path(folder) / "model.safetensors"
        engines = {engine: detectors.load(NAME, weights, "cpu", engine) for engine in arguments.engines}
        rows = []
        for size in arguments.sizes:
            width, height = map(int, size.split("x"))
            resized = cv2.resize(photo, (width, height))
            contestants = {f"ovseg, {engine}": ours(detector, resized) for engine, detector in engines.items()}
            contestants["transformers, torch"] = {WHOLE: theirs(resized)}
            rows += [{"size": size, **row} for row in measured(contestants, arguments.repeats)]
    result = {"machine": facts.machine(), "phrases": PHRASES, "rows": rows}
    arguments.to.write_text(json.dumps(result, indent=1))
    for row in rows:
        print(row)


def measured(contestants: dict[str, dict[str, Run]], repeats: int) -> list[dict[str, Any]]:
    """Return the CPU seconds of each step of each contestant. They take turns; the first turn only prepares them."""
    taken: dict[tuple[str, str], list[float]] = {}
    for turn in tqdm(range(repeats + 1)):
        for name, steps in contestants.items():
            for step, run in steps.items():
                start = time.process_time()
                run()
                if turn:
                    taken.setdefault((name, step), []).append(time.process_time() - start)
    rows = []
    for name, steps in contestants.items():
        seconds = {step: min(taken[name, step]) for step in steps}
        whole = (
            sum(seconds[step] for step, is_part in STEPS.items() if is_part) if WHOLE not in steps else seconds[WHOLE]
        )
        rows.append({"by": name, "cpu_s": whole, "steps_cpu_s": seconds})
    return rows


def ours(detector: Detector, photo: np.ndarray) -> dict[str, Run]:
    """Return the steps of ovseg. The texts of a list are cached, so each turn searches for phrases of its own."""
    encoded: list[Any] = []
    turn = iter(range(10**6))
    last: list[str] = []

    def new_phrases() -> object:
        last[:] = [*PHRASES[:2], f"{PHRASES[2]} {next(turn) % 10}"]
        return detector.detect(encoded[0], last)

    return {
        "image": lambda: encoded.__setitem__(slice(None), [detector.encode(photo)]),
        "phrases": new_phrases,
        "the same phrases": lambda: detector.detect(encoded[0], last),
        "other phrases": lambda: detector.detect(encoded[0], OTHERS),
    }


def transformers(folder: Path) -> Callable[[np.ndarray], Run]:
    """Write random weights into a folder. Return what makes, for a photo, the run of transformers with them."""
    import torch
    from transformers import BertTokenizer, GroundingDinoProcessor
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    from tests.support import transformers_grounding_dino

    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = transformers_grounding_dino.original(SHAPES[NAME])
    model.save_pretrained(folder)
    processor = GroundingDinoProcessor(GroundingDinoImageProcessorPil(), BertTokenizer(str(tokenizer.VOCABULARY)))

    def of_photo(photo: np.ndarray) -> Run:
        picture = Image.fromarray(photo)

        def run() -> object:
            given = processor(images=picture, text=[PHRASES], return_tensors="pt")
            with torch.no_grad():
                outputs = model(**given)
            return processor.post_process_grounded_object_detection(
                outputs, given["input_ids"], threshold=0.3, target_sizes=[photo.shape[:2]]
            )

        return run

    return of_photo


if __name__ == "__main__":
    main()
